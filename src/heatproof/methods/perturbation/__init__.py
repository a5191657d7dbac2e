"""Perturbation methods: maps from scores of inputs of which some values are absent; all but learned masks need no
gradients.
"""

from heatproof.methods.perturbation.extremal_perturbation import ExtremalPerturbation
from heatproof.methods.perturbation.feature_ablation import FeatureAblation
from heatproof.methods.perturbation.kernel_shap import KernelShap
from heatproof.methods.perturbation.lime import Lime
from heatproof.methods.perturbation.meaningful_perturbation import MeaningfulPerturbation
from heatproof.methods.perturbation.occlusion import Occlusion
from heatproof.methods.perturbation.partition_shap import PartitionShap
from heatproof.methods.perturbation.rise import Rise
from heatproof.methods.perturbation.shapley_sampling import ShapleySampling

__all__ = [
    "ExtremalPerturbation",
    "FeatureAblation",
    "KernelShap",
    "Lime",
    "MeaningfulPerturbation",
    "Occlusion",
    "PartitionShap",
    "Rise",
    "ShapleySampling",
]
