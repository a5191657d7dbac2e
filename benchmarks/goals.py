"""What each comparison should reach. One table; a row without a goal is there to be looked at."""

SMALLER_IS_BETTER = frozenset({"memory", "backward_rules_memory", "overhead", "growth", "tolerance", "units"})
"""Groups whose ratio is ours over the other's; elsewhere it is the other's over ours."""

ANY = ""

GOALS: dict[tuple[str, str, str], float] = {
    ("integrated_gradients", "exact", ANY): 1.1,
    ("integrated_gradients", "exact", "efficientnet_lite0"): 2.0,
    ("integrated_gradients", "fast", "resnet50"): 4.0,
    ("integrated_gradients", "fast", "vgg16"): 4.0,
    ("integrated_gradients", "fast", "densenet121"): 2.4,
    ("smooth_grad", "exact", ANY): 1.2,
    ("smooth_grad", "fast", ANY): 4.0,
    ("region_perturbation", "exact", ANY): 1.1,
    ("region_perturbation", "fast", ANY): 3.5,
    ("incremental", "exact, step", "vgg16"): 6.0,
    ("incremental", "exact, step", "resnet50"): 1.7,
    ("incremental", "exact, step", "squeezenet1_1"): 1.7,
    ("incremental", "exact, step", "densenet121"): 1.6,
    ("incremental", "exact, step", "efficientnet_lite0"): 1.3,
    ("incremental", "exact, curve", "vgg16"): 5.0,
    ("incremental", "fast, quantus", "vgg16"): 15.0,
    ("layer_passes", "Ablation-CAM, grad-cam", "resnet50"): 30.0,
    ("layer_passes", "Ablation-CAM, full passes", "resnet50"): 20.0,
    ("layer_passes", "cascade, work", "resnet50"): 1 / 0.6,
    ("layer_passes", "competition", "efficientnet_lite0"): 1 / 0.6,
    ("pixel_flipping", "exact", ANY): 2.7,
    ("pixel_flipping", "fast", ANY): 8.0,
    ("forward_rate", "plain", ANY): 0.90,
    ("forward_rate", "exact", ANY): 0.90,
    ("forward_rate", "fast", ANY): 0.90,
    ("memory", "peak", ANY): 0.1,
    ("backward_rules", "exact", ANY): 1.5,
    ("backward_rules_memory", "peak", ANY): 1.0,
    ("activation_maps", "exact", ANY): 1.5,
    ("occlusion", "captum's default", "squeezenet1_1"): 5.0,
    ("occlusion", "captum's best", "squeezenet1_1"): 1.5,
    ("occlusion", "captum's best", "vgg16"): 8.0,
    ("masks", "RISE", ANY): 0.95,
    ("shapley", "kernel_shap, time", "null"): 10.0,
    ("shapley", "shapley_sampling, time", "null"): 20.0,
    ("shapley", "kernel_shap, error", "null"): 1.0,
    ("overhead", ANY, ANY): 1.05,
    ("growth", "images, time", ANY): 2.1,
    ("growth", "samples, time", ANY): 2.1,
    ("growth", "side, time", ANY): 4.3,
    ("growth", "images, peak memory", ANY): 1.1,
    ("growth", "samples, peak memory", ANY): 1.1,
    ("tolerance", "settled", ANY): 0.5,
    ("units", ANY, ANY): 1.0,
    ("units", "local, memory", ANY): 1.1,
    ("workers", "two, time", ANY): 1.8,
}
"""(group, case, network) → the ratio to reach; the most particular entry counts."""


def goal(group: str, case: str, network: str) -> float | None:
    """The ratio to reach, if there is one."""
    found = (GOALS.get(key) for key in ((group, case, network), (group, case, ANY), (group, ANY, ANY)))
    return next((limit for limit in found if limit is not None), None)
