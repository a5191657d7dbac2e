"""Does the network use what the map calls relevant?"""

from heatproof.metrics.faithfulness.perturbation_curve import PerturbationCurve

__all__ = ["PerturbationCurve"]
