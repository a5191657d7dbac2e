"""The one table of settings that the laws run every method and every metric with: cheap, and together touching each branch."""

from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any, get_args

import pytest
from torch import Tensor

from heatproof.core.errors import SettingsError
from heatproof.core.settings import Settings, exports
from heatproof.data import PlantedPatches
from heatproof.methods import (
    AblationCam,
    AdaptiveNoise,
    BlurredMap,
    CentreMap,
    Competition,
    ConstantMap,
    Damaged,
    DeconvNet,
    DeepLift,
    DeepTaylor,
    EdgeMap,
    EigenCam,
    ExpectedGradients,
    ExtremalPerturbation,
    FeatureAblation,
    GradCam,
    GradCamPlusPlus,
    Gradient,
    GuidedBackprop,
    HiresCam,
    InputMap,
    InputXGradient,
    IntegratedGradients,
    KernelShap,
    LayerCam,
    Lime,
    Lrp,
    MeaningfulPerturbation,
    Method,
    Occlusion,
    PartitionShap,
    PatternAttribution,
    PatternNet,
    Product,
    RandomMap,
    Rise,
    ScoreCam,
    ShapleySampling,
    SmoothGrad,
    SmoothTaylor,
    XgradCam,
)
from heatproof.methods.objective import Objective
from heatproof.metrics import (
    Aopc,
    BestOverlap,
    Completeness,
    CosineConvergence,
    DataRandomisation,
    EfficientMprt,
    EnergyInMask,
    FaithfulnessCorrelation,
    GridPointing,
    HistogramEntropy,
    Infidelity,
    InputDependence,
    InputIndependence,
    InputInvariance,
    Irof,
    MarkDetection,
    MaxSensitivity,
    Metric,
    ModelContrast,
    OutOfDistribution,
    ParameterRandomisation,
    PerformanceInformationCurve,
    PerturbationCurve,
    PixelFlipping,
    PointingGame,
    RandomLogit,
    RegionAuc,
    RelevanceMass,
    RelevanceRank,
    Repeatability,
    Roar,
    Saco,
    SensitivityN,
    SignChanges,
    SimilarityTo,
    SimilarityUnderChange,
    SingleDeletion,
    Sparseness,
    SymmetricRelevanceGain,
    TopIntersection,
    TotalVariationCurve,
    TruthCorrelation,
)
from heatproof.models import Model
from heatproof.models.loaders import Imported, Loader, Toy
from heatproof.models.outputs import Probability
from heatproof.numerics.quadrature import GaussLegendre, LeftRiemann, Midpoint, RightRiemann, Trapezoid
from heatproof.passes.patterns import GivenPatterns, fit_patterns
from heatproof.perturb.changes import AddedNoise, Masking
from heatproof.perturb.fills import Black, Blurred, Fill, NoisyLinear, Reference, Uniform, White, Zero
from heatproof.perturb.groups import Patches, Pixels, RegularGrid, Slic
from heatproof.perturb.noises import Gaussian
from heatproof.relevance.composites import Composite, LrpEpsilon, ZPlusEverywhere
from heatproof.training import Trained, TrainingConfig
from tests.support import zoo

REFERENCES, LARGE_REFERENCES = zoo.images(5, seed=9), zoo.images(4, side=24, seed=9)


def patterns(seed: int) -> GivenPatterns:
    """Of every network that laws run on, by itself and inside another: no two of their weights share a name and differ in shape."""
    alone = [zoo.residual(), zoo.smooth_conv(), zoo.relu_first(inplace=False)]
    layered = [zoo.layered(zoo.Linear(zoo.images(1)[0].shape)), zoo.layered(zoo.Quadratic(zoo.images(1)[0].shape, classes=3))]
    networks = [zoo.bias_free_conv(), *alone, *layered, *(zoo.Packed(network, "list") for network in (*alone, *layered))]
    found = [fit_patterns(zoo.model(network), zoo.images(6, seed=seed), "linear").tensors for network in networks]
    return GivenPatterns(tensors=dict(item for tensors in found for item in tensors.items()))


PATTERNS, OTHER_PATTERNS = patterns(9), patterns(8)

FOUR, NINE, SIXTEEN = (RegularGrid(cells_per_axis=side) for side in (2, 3, 4))

OTHER_NETWORK = Toy(architecture="three_blocks", side=24, channels=3, classes=4, width=0.3)

RETRAINED = Trained(
    architecture=Toy(architecture="three_blocks", side=24, channels=3, classes=4, width=0.1),
    dataset=PlantedPatches(n=4, side=24),
    training=TrainingConfig(epochs=1),
)

ANY_SIZE = Imported(path=f"{__name__}:network_for_any_size")


def network_for_any_size() -> Model:
    """A network that takes images of every size; its import path is a loader."""
    return zoo.model(zoo.filled(zoo.residual(), seed=29))


CHEAP_CURVE = PerturbationCurve(side=2, regions=2, draws=2)


def _searching(**settings: Any) -> AdaptiveNoise:
    cheap = {"method": SmoothTaylor(samples=2), "objective": TotalVariationCurve(scaled=True), "iterations": 3, "failures": 1}
    return AdaptiveNoise(**(cheap | settings))


METHODS: Mapping[type[Method], dict[str, Method]] = {
    Gradient: {"": Gradient()},
    InputXGradient: {"": InputXGradient()},
    IntegratedGradients: {
        "gauss": IntegratedGradients(quadrature=GaussLegendre(steps=5)),
        "right riemann from white": IntegratedGradients(quadrature=RightRiemann(steps=6), baseline=White()),
        "left riemann from zero": IntegratedGradients(quadrature=LeftRiemann(steps=6), baseline=Zero()),
        "trapezoid": IntegratedGradients(quadrature=Trapezoid(steps=5)),
        "noise": IntegratedGradients(quadrature=Midpoint(steps=3), baseline=Uniform(), baselines=4),
        "tolerance": IntegratedGradients(quadrature=GaussLegendre(steps=60), tolerance=0.02),
        "noise, tolerance": IntegratedGradients(
            quadrature=GaussLegendre(steps=40), baseline=Uniform(), baselines=2, tolerance=0.01
        ),
        "map tolerance": IntegratedGradients(quadrature=GaussLegendre(steps=60), map_tolerance=0.03),
        "noise, trapezoid": IntegratedGradients(quadrature=Trapezoid(steps=2), baseline=Uniform(), baselines=3),
    },
    ExpectedGradients: {
        "uniform": ExpectedGradients(baselines=4, strata=3),
        "references": ExpectedGradients(baseline=Reference(images=REFERENCES), baselines=5, strata=2),
        "tolerance": ExpectedGradients(baselines=26, strata=2, tolerance=0.6),
        "adaptive": ExpectedGradients(baselines=20, strata=1, positions="adaptive"),
        "adaptive, tolerance": ExpectedGradients(baselines=40, strata=2, positions="adaptive", tolerance=0.5),
    },
    SmoothTaylor: {
        "": SmoothTaylor(samples=7),
        "antithetic": SmoothTaylor(samples=8, noise=Gaussian(sigma=0.3, relative_to="bounds", antithetic=True)),
        "tolerance": SmoothTaylor(noise=Gaussian(sigma=0.3, relative_to="bounds", antithetic=True), samples=50, tolerance=1.0),
    },
    SmoothGrad: {
        "mean": SmoothGrad(samples=6),
        "square": SmoothGrad(samples=5, moment="square"),
        "variance": SmoothGrad(samples=6, moment="variance"),
        "of integrated gradients": SmoothGrad(method=IntegratedGradients(quadrature=GaussLegendre(steps=2)), samples=3),
        "of smooth taylor": SmoothGrad(method=SmoothTaylor(samples=3), samples=4),
        "of grad_cam": SmoothGrad(method=GradCam(), samples=3),
        "tolerance": SmoothGrad(samples=20, tolerance=0.5),
        "variance, tolerance": SmoothGrad(samples=40, moment="variance", tolerance=0.5),
    },
    AdaptiveNoise: {
        "published": _searching(),
        "published, curve, common": _searching(objective=CHEAP_CURVE, common=True, failures=2),
        "sweep of smooth grad": _searching(method=SmoothGrad(samples=2), search="sweep", map="fresh"),
    },
    Competition: {
        "": Competition(rivals=3),
        "two rivals of lrp": Competition(method=Lrp(composite=LrpEpsilon()), rivals=2),
        "of smooth grad": Competition(method=SmoothGrad(samples=2), rivals=3),
    },
    Damaged: {
        "noise": Damaged(),
        "cells moved": Damaged(method=SmoothTaylor(samples=3), damage="shuffle"),
        "blurred": Damaged(damage="blur", share=1.0),
        "moved as a whole": Damaged(method=GradCam(relu=False), damage="shift", share=0.25),
    },
    Product: {"guided grad-cam": Product(), "of noise": Product(first=SmoothTaylor(samples=3), second=Gradient())},
    DeconvNet: {"": DeconvNet()},
    GuidedBackprop: {"": GuidedBackprop()},
    DeepLift: {"": DeepLift(), "noise": DeepLift(baseline=Uniform(), baselines=3)},
    DeepTaylor: {"": DeepTaylor(), "unbounded": DeepTaylor(bounded=False)},
    Lrp: {
        name: Lrp(composite=name)
        for name in ("epsilon_plus", "epsilon_gamma_box", "epsilon_alpha2_beta1_flat", "z_plus_everywhere", "attn_lrp")
    },
    PatternNet: {"": PatternNet(patterns=PATTERNS), "projected": PatternNet(patterns=PATTERNS, project=True)},
    PatternAttribution: {"": PatternAttribution(patterns=PATTERNS)},
    GradCam: {"": GradCam(), "signed": GradCam(relu=False)},
    GradCamPlusPlus: {"": GradCamPlusPlus()},
    HiresCam: {"": HiresCam()},
    LayerCam: {"": LayerCam()},
    XgradCam: {"": XgradCam()},
    EigenCam: {"": EigenCam(), "centred": EigenCam(centred=True)},
    ScoreCam: {"": ScoreCam(channels=6), "some channels": ScoreCam(channels=4, relu=False)},
    AblationCam: {"": AblationCam(channels=6), "some channels": AblationCam(channels=4, relu=False)},
    Occlusion: {
        "": Occlusion(window=2, stride=2),
        "overlapping": Occlusion(window=3, stride=2, fill=Zero()),
        "noise": Occlusion(window=2, stride=2, fill=Uniform(), draws=3),
        "tolerance": Occlusion(window=4, stride=4, fill=Uniform(), draws=14, tolerance=0.4),
    },
    FeatureAblation: {
        "": FeatureAblation(groups=Patches(side=2)),
        "each channel": FeatureAblation(groups=RegularGrid(cells_per_axis=2, channels="each"), fill=White()),
        "noise": FeatureAblation(groups=RegularGrid(cells_per_axis=3), fill=Uniform(), draws=3),
    },
    Rise: {
        "": Rise(samples=20, cells=3),
        "noise": Rise(samples=16, cells=4, keep=0.3, fill=Uniform()),
        "tolerance": Rise(samples=60, cells=2, tolerance=0.6),
    },
    Lime: {
        "": Lime(samples=20, groups=NINE),
        "euclidean, no ridge": Lime(samples=30, groups=NINE, distance="euclidean", kernel_width=2.0, ridge=0.0, fill=White()),
        "noise": Lime(samples=16, groups=FOUR, fill=Uniform(), ridge=0.1),
        "tolerance": Lime(samples=60, groups=NINE, tolerance=0.6),
    },
    KernelShap: {
        "": KernelShap(samples=54, groups=NINE),
        "noise": KernelShap(samples=24, groups=FOUR, fill=Uniform(), draws=2),
        "tolerance": KernelShap(samples=90, groups=NINE, tolerance=0.15),
    },
    ShapleySampling: {
        "": ShapleySampling(samples=2, groups=NINE),
        "noise": ShapleySampling(samples=4, groups=FOUR, fill=Uniform()),
        "tolerance": ShapleySampling(samples=24, groups=NINE, tolerance=0.3),
    },
    PartitionShap: {
        "": PartitionShap(samples=2, groups=NINE),
        "noise": PartitionShap(samples=4, groups=FOUR, fill=Uniform()),
        "tolerance": PartitionShap(samples=24, groups=FOUR, fill=Uniform(), tolerance=0.3),
    },
    MeaningfulPerturbation: {
        "": MeaningfulPerturbation(steps=3, l1=0.01),
        "preserving": MeaningfulPerturbation(steps=2, preserve=True, fill=Black(), jitter=0.0, cells=4),
        "noise": MeaningfulPerturbation(steps=2, fill=Uniform()),
    },
    ExtremalPerturbation: {
        "": ExtremalPerturbation(areas=(0.1, 0.3), steps=3),
        "no jitter": ExtremalPerturbation(areas=(0.2,), steps=3, jitter=0.0, fill=Black()),
    },
    RandomMap: {"": RandomMap()},
    ConstantMap: {"": ConstantMap()},
    EdgeMap: {"": EdgeMap()},
    InputMap: {"": InputMap()},
    CentreMap: {"": CentreMap()},
    BlurredMap: {"": BlurredMap(sigma=0.1), "noise": BlurredMap(method=SmoothGrad(samples=3), sigma=0.2)},
}

MAPS_OF_A_CONSTANT_OUTPUT: Mapping[type[Method], str] = {
    ScoreCam: "its softmax gives channels of equal score equal weights, so that the map is the mean activation",
}
"""Methods whose map of an output that depends on nothing is not zero, and why."""

METRICS: Mapping[type[Metric], dict[str, Metric]] = {
    PerturbationCurve: {
        "": PerturbationCurve(side=3, regions=4, draws=5),
        "even draws of one path": PerturbationCurve(side=2, regions=5, draws=6, paths=1, ranking="signed"),
        "least first": PerturbationCurve(side=3, regions=4, draws=3, order="least"),
        "black": PerturbationCurve(side=3, regions=4, fill=Black()),
        "blurred": PerturbationCurve(side=3, regions=4, fill=Blurred(sigma=0.1)),
        "references": PerturbationCurve(
            side=3, regions=3, draws=3, fill=Reference(images=zoo.images(4, side=24, seed=9)), carry="random"
        ),
        "scaled": PerturbationCurve(scaled=True, draws=2, output=Probability()),
    },
    PixelFlipping: {
        "": PixelFlipping(steps=5),
        "least first": PixelFlipping(steps=4, order="least", fill=Black()),
        "insertion": PixelFlipping(steps=6, mode="insertion", fill=Blurred(sigma=0.1)),
        "random": PixelFlipping(steps=3, fill=Uniform(), draws=3),
        "insertion of the least into references": PixelFlipping(
            steps=3, mode="insertion", order="least", fill=Reference(images=LARGE_REFERENCES), draws=2, output=Probability()
        ),
        "insertion of some patches": PixelFlipping(
            groups=Patches(side=4), steps=None, share=0.4, mode="insertion", ranking="absolute"
        ),
    },
    Aopc: {
        "": Aopc(groups=Patches(side=6), share=0.5),
        "normalised": Aopc(groups=NINE, share=0.3, normalised=True, beam=1),
        "least of all pixels, black": Aopc(groups=None, steps=3, share=1.0, fill=Black(), draws=None, order="least"),
    },
    Irof: {
        "": Irof(groups=Slic(segments=9, compactness=100)),
        "half": Irof(groups=RegularGrid(cells_per_axis=3), share=0.5, steps=3),
    },
    SymmetricRelevanceGain: {
        "": SymmetricRelevanceGain(groups=RegularGrid(cells_per_axis=3)),
        "whole, superpixels": SymmetricRelevanceGain(
            groups=Slic(segments=9, compactness=100), share=1.0, fill=Blurred(sigma=0.1), steps=4
        ),
        "drawn": SymmetricRelevanceGain(groups=Patches(side=6), steps=3, draws=2, ranking="absolute", output=Probability()),
    },
    SingleDeletion: {
        "": SingleDeletion(groups=RegularGrid(cells_per_axis=3)),
        "imputed": SingleDeletion(groups=Patches(side=8), fill=NoisyLinear(noise=0.1), draws=2, output=Probability()),
    },
    SensitivityN: {"": SensitivityN(groups=NINE, shares=(0.3, 0.6), samples=5)},
    FaithfulnessCorrelation: {
        "": FaithfulnessCorrelation(groups=NINE, samples=8, share=0.4, fill=Black()),
        "drawn, pixels": FaithfulnessCorrelation(groups=Patches(side=6), samples=16, fill=Uniform(), output=Probability()),
    },
    Infidelity: {
        "": Infidelity(groups=NINE, samples=6),
        "cells": Infidelity(groups=NINE, perturbation="cells"),
        "of sensitivities": Infidelity(groups=NINE, samples=5, maps="sensitivities", fill=Uniform()),
        "noise": Infidelity(groups=Pixels(), perturbation="noise", maps="sensitivities", samples=5),
    },
    Saco: {
        "": Saco(groups=Patches(side=4), parts=4),
        "all pixels, drawn": Saco(parts=3, fill=Uniform(), draws=2, output=Probability()),
    },
    Roar: {"": Roar(network=RETRAINED, shares=(0.5,), retrainings=1, performance="probability")},
    OutOfDistribution: {
        "": OutOfDistribution(references=Reference(images=LARGE_REFERENCES), removal=SymmetricRelevanceGain(groups=NINE)),
        "insertion": OutOfDistribution(
            references=Reference(images=LARGE_REFERENCES), removal=PixelFlipping(steps=3, mode="insertion", fill=Blurred(sigma=0.1))
        ),
    },
    TotalVariationCurve: {
        "": TotalVariationCurve(smallest_side=5),
        "scaled": TotalVariationCurve(scaled=True),
        "once": TotalVariationCurve(smallest_side=5, normalise="once"),
    },
    PointingGame: {"": PointingGame(tolerance=2), "on the object itself": PointingGame(tolerance=0)},
    EnergyInMask: {"": EnergyInMask()},
    RelevanceMass: {"": RelevanceMass(), "magnitude": RelevanceMass(exponent=1)},
    RelevanceRank: {"": RelevanceRank()},
    TopIntersection: {"": TopIntersection(), "more than the object": TopIntersection(share=0.3)},
    BestOverlap: {"": BestOverlap()},
    RegionAuc: {"": RegionAuc()},
    TruthCorrelation: {"": TruthCorrelation(), "pearson": TruthCorrelation(similarity="pearson")},
    ModelContrast: {"": ModelContrast(other=ANY_SIZE)},
    MarkDetection: {"": MarkDetection(other=ANY_SIZE)},
    GridPointing: {"": GridPointing(), "features": GridPointing(sees="features")},
    InputDependence: {"": InputDependence()},
    InputIndependence: {"": InputIndependence(steps=2, length=2)},
    Repeatability: {"": Repeatability(), "ranks": Repeatability(similarity="spearman")},
    SimilarityTo: {
        "": SimilarityTo(reference=Gradient()),
        "ranks of sizes, drawn": SimilarityTo(reference=SmoothGrad(samples=3), similarity="spearman", signed=False),
        "order": SimilarityTo(reference=Gradient(), similarity="kendall"),
    },
    MaxSensitivity: {"": MaxSensitivity(samples=1)},
    SimilarityUnderChange: {
        "": SimilarityUnderChange(levels=(0.1, 0.4)),
        "fresh, clipped": SimilarityUnderChange(
            change=AddedNoise(distribution="gaussian", independent=True, clip=True), levels=(0.1, 0.4)
        ),
        "masked": SimilarityUnderChange(change=Masking(fill=Uniform()), levels=(0.2, 0.5), similarity="cosine"),
        "masked in one channel, again and again": SimilarityUnderChange(
            change=Masking(channel=1, cumulative=True, order="least"), levels=(0.2, 0.5), channels="each", similarity="top"
        ),
    },
    ParameterRandomisation: {
        "": ParameterRandomisation(),
        "from the input, permuted, several": ParameterRandomisation(
            order="bottom_up", weights="permutation", draws=2, similarity="pearson", entries="signed"
        ),
        "one by one, own choice": ParameterRandomisation(order="independent", weights="truncated_normal", target="own"),
        "smoothed": ParameterRandomisation(samples=2, statistics="keep", similarity="sign", entries="signed"),
    },
    CosineConvergence: {"": CosineConvergence(directions=3)},
    EfficientMprt: {"": EfficientMprt(draws=2, bins=20), "permuted": EfficientMprt(draws=1, weights="permutation")},
    DataRandomisation: {"": DataRandomisation(other=OTHER_NETWORK)},
    RandomLogit: {"": RandomLogit(), "pictures": RandomLogit(draws=2, similarity="ssim", entries="absolute")},
    SignChanges: {"": SignChanges()},
    Completeness: {"own expected sum": Completeness(), "from black": Completeness(baseline=Black())},
    InputInvariance: {
        "": InputInvariance(),
        "entries of a picture": InputInvariance(shift="picture", similarity="cosine", channels="each"),
    },
    HistogramEntropy: {"": HistogramEntropy(bins=20)},
    Sparseness: {"": Sparseness()},
    PerformanceInformationCurve: {
        "": PerformanceInformationCurve(steps=6),
        "linear, entropy": PerformanceInformationCurve(steps=5, grid="linear", information="entropy", sigma=0.1),
    },
}


def _defaults(base: type[Settings], table: Mapping[type, object]) -> dict[type, dict[str, Settings]]:
    """The default settings of every exported class that has no row."""
    added: dict[type, dict[str, Settings]] = {}
    for name, cls in exports(base).items():
        if cls not in table:
            try:
                added[cls] = {"": cls()}
            except SettingsError as error:
                raise LookupError(f"{name} has settings without defaults: add a row to tests/laws/cases.py ({error})") from error
    return added


BY_DEFAULT: Mapping[type, dict[str, Settings]] = {**_defaults(Method, METHODS), **_defaults(Metric, METRICS)}
"""Rows that nobody wrote: `test_default_settings_are_cheap` says where one must be written."""
METHODS = {**METHODS, **_defaults(Method, METHODS)}
METRICS = {**METRICS, **_defaults(Metric, METRICS)}

CURVES = (Aopc, Irof, PixelFlipping, SymmetricRelevanceGain)

OTHER_FIELDS: Mapping[type, dict[str, Any]] = {
    IntegratedGradients: {
        "baseline": [Uniform(), Reference(images=REFERENCES)],
        "baselines": 5,
        "quadrature": GaussLegendre(steps=4),
        "tolerance": 9.0,
        "map_tolerance": 9.0,
    },
    ExpectedGradients: {
        "baseline": [Reference(images=REFERENCES), Uniform()],
        "baselines": 6,
        "strata": 4,
        "positions": ["adaptive", "uniform"],
        "tolerance": 9.0,
    },
    AdaptiveNoise: {
        "method": [SmoothTaylor(samples=4), SmoothTaylor(samples=3)],
        "objective": [CHEAP_CURVE, TotalVariationCurve(scaled=True)],
        "search": ["sweep", "published"],
        "iterations": 1,
        "step": 0.4,
        "decay": 0.3,
        "failures": 4,
        "common": [True, False],
        "map": ["fresh", "best"],
    },
    Competition: {"method": [IntegratedGradients(), Gradient()], "rivals": 1},
    Damaged: {"method": Gradient(), "damage": ["shift", "blur"], "share": 0.75},
    Product: {"first": [InputXGradient(), Gradient()], "second": [InputXGradient(), Gradient()]},
    InputMap: {"last": 0},
    DeepLift: {"baseline": [Uniform(), Reference(images=REFERENCES)], "baselines": 4},
    DeepTaylor: {"bounded": lambda now: not now},
    Lrp: {"composite": [ZPlusEverywhere(), LrpEpsilon()]},
    **{family: {"patterns": OTHER_PATTERNS, "project": [True, False]} for family in (PatternNet, PatternAttribution)},
    GivenPatterns: {"tensors": OTHER_PATTERNS.tensors},
    SmoothTaylor: {"noise": Gaussian(sigma=0.4, antithetic=True), "samples": 9, "tolerance": 9.0},
    SmoothGrad: {
        "method": InputXGradient(),
        "noise": Gaussian(sigma=0.4, antithetic=True),
        "samples": 7,
        "moment": ["square", "mean"],
        "tolerance": 9.0,
    },
    **{
        cam: {"layer": "0", "layout": "b h w c", "relu": [True, False]}
        for cam in (GradCam, GradCamPlusPlus, HiresCam, LayerCam, XgradCam)
    },
    EigenCam: {"layer": "0", "layout": "b h w c", "relu": [True, False], "centred": [True, False]},
    **{cam: {"layer": "0", "layout": "b h w c", "relu": [True, False], "channels": 3} for cam in (ScoreCam, AblationCam)},
    Occlusion: {"window": [4, 5], "stride": 1, "fill": [Uniform(), White()], "draws": 4, "tolerance": 9.0},
    FeatureAblation: {"groups": [Pixels(), Patches(side=4)], "fill": [Uniform(), Zero()], "draws": 4, "tolerance": 9.0},
    Rise: {"samples": 21, "cells": 5, "keep": 0.6, "fill": [White(), Black()], "tolerance": 9.0},
    Lime: {
        "samples": 25,
        "groups": [FOUR, NINE],
        "fill": [Black(), White()],
        "distance": ["euclidean", "cosine"],
        "kernel_width": 0.4,
        "ridge": 3.0,
        "tolerance": 9.0,
    },
    KernelShap: {"samples": 64, "groups": [FOUR, NINE], "fill": [Uniform(), White()], "draws": 3, "tolerance": 9.0},
    **{
        orders: {"samples": 6, "groups": [FOUR, SIXTEEN], "fill": [Uniform(), White()], "tolerance": 9.0}
        for orders in (ShapleySampling, PartitionShap)
    },
    MeaningfulPerturbation: {"cells": 6, "fill": [White(), Black()], "tv": 1.0, "l1": 1.0, "jitter": [0.4, 0.3]},
    ExtremalPerturbation: {"areas": (0.15, 0.4), "cells": 6, "fill": [White(), Black()], "jitter": [0.4, 0.3], "sigma": 0.3},
    Gaussian: {"sigma": 0.7, "relative_to": ["bounds", "image"], "antithetic": [True, False]},
    Reference: {"images": lambda now: zoo.images(len(now), side=now.shape[-1], seed=8)},
    Blurred: {"sigma": 0.3},
    GaussLegendre: {"steps": 3},
    RightRiemann: {"steps": 2},
    LeftRiemann: {"steps": 2},
    Midpoint: {"steps": 2},
    Trapezoid: {"steps": 3},
    PerturbationCurve: {
        "side": 4,
        "regions": 6,
        "scaled": [True, False],
        "draws": 7,
        "paths": 2,
        "ranking": ["signed", "absolute"],
        "fill": White(),
        "order": ["least", "most"],
        "carry": ["random", "median"],
        "output": [Probability(), None],
        "area_rule": "trapezoid",
        "corners": "published",
    },
    **{
        curve: {
            "groups": RegularGrid(cells_per_axis=5),
            "steps": [2, 4],
            "share": [0.7, 0.4],
            "fill": [White(), Uniform()],
            "draws": 5,
            "output": [Probability(), None],
        }
        for curve in CURVES
        if curve is not PixelFlipping
    },
    SingleDeletion: {
        "groups": RegularGrid(cells_per_axis=5),
        "fill": [White(), Uniform()],
        "draws": 5,
        "output": [Probability(), None],
    },
    OutOfDistribution: {
        "references": Reference(images=zoo.images(4, side=24, seed=8)),
        "removal": SymmetricRelevanceGain(groups=NINE, fill=White(), draws=None),
    },
    Saco: {
        "groups": RegularGrid(cells_per_axis=5),
        "fill": [White(), Uniform()],
        "draws": 5,
        "output": [Probability(), None],
    },
    Roar: {
        "network": RETRAINED.model_copy(update={"training": TrainingConfig(epochs=2)}),
        "shares": (0.3,),
        "fill": [White(), Black()],
    },
    SensitivityN: {
        "groups": RegularGrid(cells_per_axis=5),
        "shares": (0.2, 0.7),
        "fill": White(),
        "output": [Probability(), None],
    },
    FaithfulnessCorrelation: {
        "groups": RegularGrid(cells_per_axis=5),
        "share": 0.6,
        "fill": White(),
        "output": [Probability(), None],
    },
    Infidelity: {
        "groups": RegularGrid(cells_per_axis=5),
        "perturbation": ["cells", "subsets"],
        "maps": ["sensitivities", "contributions"],
        "share": 0.6,
        "fill": White(),
        "output": [Probability(), None],
    },
    Slic: {"segments": 20, "compactness": 30.0, "sigma": 1.0},
    PixelFlipping: {
        "groups": [Patches(side=3), None],
        "share": 0.7,
        "steps": 7,
        "fill": [White(), Uniform()],
        "draws": 5,
        "order": ["least", "most"],
        "mode": ["insertion", "deletion"],
        "output": [Probability(), None],
    },
    TotalVariationCurve: {
        "factor": 1.8,
        "smallest_side": 9,
        "scaled": [True, False],
        "normalise": ["once", "per level"],
        "percentile": 80.0,
        "area_rule": "trapezoid",
    },
    PointingGame: {"tolerance": 5},
    TopIntersection: {"share": 0.2},
    ModelContrast: {"other": OTHER_NETWORK},
    MarkDetection: {"other": OTHER_NETWORK, "share": 0.3},
    InputDependence: {"network": OTHER_NETWORK},
    InputIndependence: {"network": OTHER_NETWORK, "threshold": 100.0, "steps": 3, "length": 4000.0},
    Repeatability: {"similarity": ["spearman", "pearson"], "reliability": 0.8},
    **{
        family: {
            "similarity": ["cosine", "pearson"],
            "entries": ["signed", "absolute"],
            "channels": ["sum", "each"],
            "support": [True, False],
            "top": 0.5,
            **own,
        }
        for family, own in {
            SimilarityUnderChange: {"change": [Masking(), AddedNoise()], "levels": lambda now: (*now, 0.9)},
            ParameterRandomisation: {
                "order": ["top_down", "bottom_up"],
                "weights": ["own", "permutation"],
                "statistics": ["keep", "reset"],
                "blocks": 1,
                "draws": 3,
                "target": ["own", "fixed"],
                "samples": 3,
                "sigma": 0.4,
            },
            RandomLogit: {"draws": 3},
            DataRandomisation: {"other": OTHER_NETWORK.model_copy(update={"seed": 1})},
        }.items()
    },
    CosineConvergence: {"directions": 4},
    EfficientMprt: {
        "draws": 3,
        "bins": 7,
        "weights": ["truncated_normal", "own"],
        "statistics": "keep",
    },
    AddedNoise: {"distribution": ["one_sided_uniform", "uniform"], "independent": [True, False], "clip": [True, False]},
    Masking: {"fill": [White(), Black()], "order": ["most", "least"], "channel": 0, "cumulative": [True, False]},
    SimilarityTo: {
        "reference": [InputXGradient(), EdgeMap()],
        "similarity": ["pearson", "cosine"],
        "signed": [False, True],
    },
    Completeness: {"baseline": White()},
    InputInvariance: {
        "shift": ["picture", "constant"],
        "size": 0.2,
        "similarity": ["pearson", "cosine"],
        "entries": ["absolute", "signed"],
        "channels": ["each", "sum"],
        "support": [True, False],
        "top": 0.2,
    },
    HistogramEntropy: {"bins": 30},
    PerformanceInformationCurve: {
        "steps": 7,
        "grid": ["linear", "geometric"],
        "information": ["entropy", "compressed"],
        "performance": ["accuracy", "probability"],
        "sigma": 0.2,
    },
}
"""Another legal value of a field, several of which one is other, or how to make one, where `_derived` does not know."""

FAILING = {
    "search": "published",
    "common": False,
    "method": SmoothTaylor(samples=3),
    "objective": TotalVariationCurve(scaled=True),
    "iterations": 12,
    "step": 3.0,
}
"""A search whose steps are so large that some fail in a row."""

OF_COMPARISONS: dict[str, dict[str, object]] = {
    "top": {"similarity": "top", "support": False},
    "support": {"similarity": "spearman"},
    "channels": {"similarity": "cosine"},
    "entries": {"similarity": "cosine"},
}
"""Pictures are of sums, and see every entry."""

WITH_OTHERS: Mapping[type, dict[str, dict[str, object]]] = {
    PerturbationCurve: {
        "fill": {"draws": None, "paths": None, "side": 3, "regions": 2},
        "draws": {"fill": Uniform(), "paths": None},
        "paths": {"fill": Uniform(), "draws": 6},
        "carry": {"fill": Uniform(), "draws": 5, "paths": 1},
        "scaled": {"side": 3, "regions": 4},
    },
    **{curve: {"fill": {"draws": None}, "draws": {"fill": Uniform()}} for curve in (*CURVES, SingleDeletion, Saco)},
    Aopc: {
        "fill": {"draws": None},
        "draws": {"fill": Uniform()},
        "steps": {"normalised": False, "share": 1.0},
        "normalised": {"groups": NINE, "share": 0.3, "steps": None, "beam": 1},
    },
    Infidelity: {
        "groups": {"perturbation": "subsets"},
        "perturbation": {"maps": "sensitivities", "groups": NINE},
        "maps": {"perturbation": "subsets"},
        "share": {"perturbation": "subsets"},
        "samples": {"perturbation": "subsets"},
        "sigma": {"perturbation": "noise", "maps": "sensitivities"},
        "fill": {"perturbation": "subsets"},
    },
    SimilarityUnderChange: {**OF_COMPARISONS, "support": {"similarity": "spearman", "change": Masking(fill=Zero())}},
    ParameterRandomisation: {**OF_COMPARISONS, "sigma": {"samples": 2}},
    RandomLogit: OF_COMPARISONS,
    DataRandomisation: OF_COMPARISONS,
    InputInvariance: OF_COMPARISONS,
    DeepLift: {"baselines": {"baseline": Uniform()}},
    IntegratedGradients: {
        "baselines": {"baseline": Uniform()},
        "tolerance": {"tolerance": None, "map_tolerance": None},
        "map_tolerance": {"tolerance": None, "map_tolerance": None},
    },
    ExpectedGradients: {
        "baselines": {"tolerance": None},
        "positions": {"baselines": 12, "tolerance": None},
        "tolerance": {"baselines": 20, "tolerance": None},
    },
    **{
        removal: {
            "fill": {"draws": 1, "tolerance": None},
            "draws": {"fill": Uniform(), "tolerance": None},
            "tolerance": {"fill": Uniform(), "draws": 20, "tolerance": None},
        }
        for removal in (Occlusion, FeatureAblation)
    },
    Rise: {"samples": {"tolerance": None}, "tolerance": {"samples": 40, "tolerance": None}},
    Lime: {"samples": {"tolerance": None, "groups": NINE}, "tolerance": {"samples": 40, "groups": NINE, "tolerance": None}},
    KernelShap: {
        "samples": {"groups": NINE, "tolerance": None},
        "fill": {"draws": 1, "tolerance": None},
        "draws": {"fill": Uniform(), "tolerance": None},
        "tolerance": {"samples": 60, "groups": NINE, "fill": Black(), "draws": 1, "tolerance": None},
    },
    **{
        orders: {"samples": {"tolerance": None}, "tolerance": {"samples": 24, "groups": NINE, "fill": Uniform(), "tolerance": None}}
        for orders in (ShapleySampling, PartitionShap)
    },
    AdaptiveNoise: {
        "search": {"iterations": 5},
        "iterations": {"search": "published"},
        "step": {"search": "published"},
        "decay": FAILING,
        "failures": FAILING,
        "common": {"search": "published"},
    },
    SmoothTaylor: {"samples": {"tolerance": None}, "tolerance": {"samples": 20, "tolerance": None}},
    SmoothGrad: {"samples": {"tolerance": None}, "tolerance": {"samples": 20, "tolerance": None}},
}
"""Fields that must change together with the field named, for both sides of the comparison."""


def every(table: Mapping[type, Mapping[str, Settings]]) -> list[Any]:
    """One pytest parameter per row, named `method` or `method: variant`."""
    return [
        pytest.param(item, id=f"{family.name}: {variant}" if variant else family.name)
        for family, variants in table.items()
        for variant, item in variants.items()
    ]


def for_images_of(side: int, item: Any) -> Any:
    """The same settings, their reference images, and the input of networks to train, as large as the images of a test."""
    fills = {name: fill for name, fill in item if isinstance(fill, Reference)}
    sized: dict[str, Any] = {
        name: Reference(images=zoo.images(len(fill.images), side=side, seed=9)) for name, fill in fills.items()
    }
    if isinstance(item, Roar):
        architecture = item.network.architecture.model_copy(update={"side": side})
        sized["network"] = item.network.model_copy(update={"architecture": architecture})
    return item.model_copy(update=sized)


def suited(settings: Settings, model: Model, rows: Tensor) -> Settings:
    """The same settings, with the tensors that belong to data or to a network made for these."""
    if isinstance(settings, Reference):
        return Reference(images=rows.flip(0) / 2)
    if isinstance(settings, GivenPatterns):
        return fit_patterns(model, rows, "linear")
    fields = {key: suited(value, model, rows) if isinstance(value, Settings) else value for key, value in settings}
    return type(settings)(**fields)


APART = (Composite, Objective, Loader)
"""Settings whose fields are tested elsewhere: some need more operations (unit/relevance), some leave an optimum where it is."""


INERT = {(InputInvariance, "support"), (Aopc, "beam")}
"""Fields that change nothing here: of methods that see a constant shift, none leaves entries that are zero in both maps; and of a
network that is nearly additive, one set of regions is enough to find the limits.
"""


def changed_fields(settings: Settings) -> Iterator[tuple[str, Settings, Settings]]:
    """(path, before, after) for every field of the settings and of the settings they hold, each changed by itself."""
    fields = {key: getattr(settings, key) for key in type(settings).model_fields}
    for key, value in fields.items():
        if (type(settings), key) in INERT:
            continue
        before = {**fields, **WITH_OTHERS.get(type(settings), {}).get(key, {})}
        yield key, type(settings)(**before), type(settings)(**{**before, key: _other(settings, key)})
        if isinstance(value, Settings) and not isinstance(value, APART):
            for path, _, after in changed_fields(value):
                if isinstance(settings, Metric) and (key, path) == ("groups", "channels"):
                    continue  # the channels of a map are summed, and regions of each channel are refused
                yield f"{key}.{path}", settings, type(settings)(**{**fields, key: after})


def _other(settings: Settings, key: str) -> object:
    now = getattr(settings, key)
    if key not in OTHER_FIELDS.get(type(settings), {}):
        return _derived(settings, key, now)
    others = OTHER_FIELDS[type(settings)][key]
    if isinstance(others, FunctionType):
        return others(now)
    return next(other for other in (others if isinstance(others, list) else [others]) if repr(other) != repr(now))


def _derived(settings: Settings, key: str, now: object) -> object:
    """Another value of a flag, a number, a choice, a fill or a method."""
    choices = get_args(type(settings).model_fields[key].annotation)
    if isinstance(now, bool):
        return not now
    if isinstance(now, int | float):
        return now + 1 if isinstance(now, int) else now * 1.25
    if isinstance(now, str) and now in choices:
        return next(choice for choice in choices if choice != now)
    for family, others in ((Fill, (White(), Black())), (Method, (InputXGradient(), Gradient()))):
        if isinstance(now, family):
            return next(other for other in others if other != now)
    raise LookupError(
        f"no other value of {type(settings).__name__}.{key} is known: add one to OTHER_FIELDS in tests/laws/cases.py, so that "
        "a law can see whether the field changes anything"
    )


def every_change(table: Mapping[type, Mapping[str, Settings]]) -> list[Any]:
    """One pytest parameter per field of each row."""
    return [
        pytest.param(path, before, after, id=f"{family.name}: {variant}: {path}" if variant else f"{family.name}: {path}")
        for family, variants in table.items()
        for variant, item in variants.items()
        for path, before, after in changed_fields(item)
    ]
