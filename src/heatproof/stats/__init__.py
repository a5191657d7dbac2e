"""Statistics of paired scores per image.

Images are the independent sample: intervals and tests are over images. Every NaN is counted, and a tie is a valid result.
"""

from heatproof.stats.agreement import Concordance, kendall_w, spearman_matrix
from heatproof.stats.association import STATISTICS, Association, AssociationEstimate, relate
from heatproof.stats.best_of import best_of_ps
from heatproof.stats.bootstrap import Interval, mean_interval, resampled_means, resampling_weights
from heatproof.stats.calibration import Calibration, calibrate
from heatproof.stats.detection import FALSE_ALARMS, Detection, detect
from heatproof.stats.effect_size import EffectSize, effect_size
from heatproof.stats.error_sources import ErrorSources, error_sources
from heatproof.stats.krippendorff import Agreement, krippendorff_alpha
from heatproof.stats.ladder import Ladder, climb
from heatproof.stats.metric_agreement import MetricAgreement, kendall_matrix
from heatproof.stats.multiplicity import ALPHA, holm
from heatproof.stats.paired import (
    Comparison,
    compare,
    compare_each,
    fewest_images,
    randomised_ps,
    sign_flip_p,
    sign_flip_ps,
    smallest_p,
)
from heatproof.stats.permutation import permutation_p
from heatproof.stats.proportion import wilson
from heatproof.stats.ranking import Ranking, rank
from heatproof.stats.reliability import Reliability, raters_needed, split_half
from heatproof.stats.sample_size import images_needed
from heatproof.stats.sequential import Decision, decide, plan_looks
from heatproof.stats.sign_flip_interval import sign_flip_interval
from heatproof.stats.student import StudentInterval, student

__all__ = [
    "ALPHA",
    "FALSE_ALARMS",
    "STATISTICS",
    "Agreement",
    "Association",
    "AssociationEstimate",
    "Calibration",
    "Comparison",
    "Concordance",
    "Decision",
    "Detection",
    "EffectSize",
    "ErrorSources",
    "Interval",
    "Ladder",
    "MetricAgreement",
    "Ranking",
    "Reliability",
    "StudentInterval",
    "best_of_ps",
    "calibrate",
    "climb",
    "compare",
    "compare_each",
    "decide",
    "detect",
    "effect_size",
    "error_sources",
    "fewest_images",
    "holm",
    "images_needed",
    "kendall_matrix",
    "kendall_w",
    "krippendorff_alpha",
    "mean_interval",
    "permutation_p",
    "plan_looks",
    "randomised_ps",
    "rank",
    "raters_needed",
    "relate",
    "resampled_means",
    "resampling_weights",
    "sign_flip_interval",
    "sign_flip_p",
    "sign_flip_ps",
    "smallest_p",
    "spearman_matrix",
    "split_half",
    "student",
    "wilson",
]
