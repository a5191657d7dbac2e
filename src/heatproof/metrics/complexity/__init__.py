"""How much does the map say, and how much of the image does it need?

"FSM (Adel et al.)", named in a talk on sanity checks, could not be found in print; these stand in for it.
"""

from heatproof.metrics.complexity.histogram_entropy import HistogramEntropy
from heatproof.metrics.complexity.performance_information_curve import PerformanceInformationCurve
from heatproof.metrics.complexity.sparseness import Sparseness

__all__ = ["HistogramEntropy", "PerformanceInformationCurve", "Sparseness"]
