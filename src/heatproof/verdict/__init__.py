"""What to believe: metrics are judged on a network and its images."""

from heatproof.verdict.evidence import Evidence
from heatproof.verdict.judge import judge
from heatproof.verdict.judgement import Judgement
from heatproof.verdict.rule import Finding, Standing, find

__all__ = ["Evidence", "Finding", "Judgement", "Standing", "find", "judge"]
