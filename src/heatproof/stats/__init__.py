"""Statistics of paired scores per image.

Images are the independent sample: intervals and tests are over images. Every NaN is counted, and a tie is a valid result.
"""

from heatproof.stats.agreement import Concordance, kendall_w, spearman_matrix
from heatproof.stats.association import STATISTICS, Association, AssociationEstimate, relate
from heatproof.stats.bootstrap import Interval, mean_interval, resampled_means, resampling_weights
from heatproof.stats.error_sources import ErrorSources, error_sources
from heatproof.stats.multiplicity import ALPHA, holm
from heatproof.stats.paired import Comparison, compare, sign_flip_p, smallest_p
from heatproof.stats.ranking import Ranking, rank
from heatproof.stats.sample_size import images_needed
from heatproof.stats.sequential import Decision, decide, plan_looks

__all__ = [
    "ALPHA",
    "STATISTICS",
    "Association",
    "AssociationEstimate",
    "Comparison",
    "Concordance",
    "Decision",
    "ErrorSources",
    "Interval",
    "Ranking",
    "compare",
    "decide",
    "error_sources",
    "holm",
    "images_needed",
    "kendall_w",
    "mean_interval",
    "plan_looks",
    "rank",
    "relate",
    "resampled_means",
    "resampling_weights",
    "sign_flip_p",
    "smallest_p",
    "spearman_matrix",
]
