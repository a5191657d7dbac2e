"""Names that other libraries have for what is here, so that an error can say which name to write.

A name that is only spelt differently (`GradCAM`, `grad-cam`) needs no entry. An entry never replaces a name silently.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

SETTINGS: Mapping[str, tuple[str, ...]] = {
    "attribute_to_layer_input": ("layer",),
    "composite_name": ("composite",),
    "eps": ("composite",),
    "epsilon": ("composite",),
    "features_in_step": ("steps",),
    "layer_name": ("layer",),
    "method": ("quadrature",),
    "model_layer": ("layer",),
    "n_baselines": ("baselines",),
    "n_samples": ("samples", "baselines", "draws"),
    "n_steps": ("quadrature.steps", "steps"),
    "noise_level": ("noise.sigma", "sigma"),
    "nr_runs": ("draws",),
    "nr_samples": ("draws", "samples", "baselines"),
    "nsamples": ("samples", "baselines", "draws"),
    "nt_samples": ("samples",),
    "nt_type": ("moment",),
    "num_samples": ("samples", "baselines", "draws"),
    "num_steps": ("quadrature.steps", "steps"),
    "patch_size": ("side",),
    "perturb_baseline": ("fill",),
    "regions_evaluation": ("regions",),
    "relu_attributions": ("relu",),
    "reshape_transform": ("layout",),
    "sigma": ("noise.sigma",),
    "std": ("noise.sigma", "sigma"),
    "stdev": ("noise.sigma", "sigma"),
    "stdev_spread": ("noise.sigma", "sigma"),
    "stdevs": ("noise.sigma", "sigma"),
    "steps": ("quadrature.steps", "samples", "baselines"),
    "target_layer": ("layer",),
    "target_layers": ("layer",),
}
"""For a setting of another library, the settings here that may be meant, the likeliest first; a dot leads into a nested table."""

NOT_SETTINGS: Mapping[str, str] = {
    "abs": 'maps keep their signs; reduce them afterwards, by attribution.map("absolute sum")',
    "aug_smooth": "average over changed images with smooth_grad",
    "batch_size": "passes are chunked by themselves; Model(…, chunk=…) sets the size of a chunk",
    "device": "passes run on the device of the model's parameters",
    "eigen_smooth": "eigen_cam is a method of its own",
    "internal_batch_size": "passes are chunked by themselves; Model(…, chunk=…) sets the size of a chunk",
    "normalise": "maps keep their values; only pictures are scaled",
    "normalize": "maps keep their values; only pictures are scaled",
    "return_convergence_delta": "every attribution has a gap",
    "seed": "give the seed to the call, attribute(model, images, seed=…), or to the experiment",
    "target": "give the class to the call, attribute(model, images, target=…), or to the experiment",
    "targets": "give the classes to the call, attribute(model, images, target=…), or to the experiment",
}
"""For what is a setting elsewhere and not here: what to do instead."""

NAMES: Mapping[str, Mapping[str, str]] = {
    "method": {
        "deconvolution": "deconv_net",
        "deep_lift_shap": "deep_lift",
        "gradient_shap": "expected_gradients",
        "gradient_x_input": "input_x_gradient",
        "gradients": "gradient",
        "guided_grad_cam": "product",
        "ig": "integrated_gradients",
        "input_times_gradient": "input_x_gradient",
        "layer_grad_cam": "grad_cam",
        "noise_tunnel": "smooth_grad",
        "saliency": "gradient",
        "smooth_grad_squared": "smooth_grad,moment=square",
        "sobel": "edge_map",
        "vanilla_gradient": "gradient",
        "var_grad": "smooth_grad,moment=variance",
    },
    "metric": {
        "average_sensitivity": "similarity_under_change",
        "deletion": "pixel_flipping",
        "gini": "sparseness",
        "insertion": "pixel_flipping,mode=insertion",
        "model_parameter_randomisation": "parameter_randomisation",
        "mprt": "parameter_randomisation",
        "region_perturbation": "perturbation_curve",
        "relevance_mass_accuracy": "relevance_mass",
        "relevance_rank_accuracy": "relevance_rank",
        "selectivity": "pixel_flipping,groups=patches",
        "top_k_intersection": "top_intersection",
    },
    "fill": {
        "blur": "blurred",
        "mean": "channel_mean",
        "noise": "uniform",
        "random": "uniform",
        "zeros": "zero",
    },
    "output": {"logits": "logit", "probabilities": "probability", "score": "logit", "softmax": "probability"},
    "quadrature": {
        "gausslegendre": "gauss_legendre",
        "riemann_left": "left_riemann",
        "riemann_middle": "midpoint",
        "riemann_right": "right_riemann",
        "riemann_trapezoid": "trapezoid",
    },
}
"""For each family, the names of other libraries, and what to write: a name, or a name with settings as on the command line."""


@lru_cache(4096)
def plain(name: str) -> str:
    """A name without what differs between spellings.

    >>> from heatproof.core.foreign_names import plain
    >>> plain("GradCAM"), plain("grad-cam"), plain("GradCAM++")
    ('gradcam', 'gradcam', 'gradcamplusplus')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("+", "plus").replace("ize", "ise").replace("ization", "isation"))


def name_here(family: str, name: str, known: Iterable[str]) -> str:
    """What to write for a name of another library or in another spelling; empty if that is not known.

    >>> from heatproof.core.foreign_names import name_here
    >>> name_here("method", "Saliency", ["gradient"]), name_here("method", "GradCAM", ["grad_cam", "gradient"])
    ('gradient', 'grad_cam')
    """
    spellings = {plain(each): each for each in known}
    foreign = {plain(each): meant for each, meant in NAMES.get(family, {}).items()}
    return spellings.get(plain(name)) or foreign.get(plain(name), "")
