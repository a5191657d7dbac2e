"""What to believe: metrics are judged on a network and its images, and a method is advised."""

from heatproof.verdict.advice import Advice, MetricUse
from heatproof.verdict.advise import advise
from heatproof.verdict.evidence import Evidence
from heatproof.verdict.judge import judge
from heatproof.verdict.judgement import Judgement
from heatproof.verdict.rule import Finding, Standing, find
from heatproof.verdict.verdict_file import VerdictFile, packaged_verdict

__all__ = [
    "Advice",
    "Evidence",
    "Finding",
    "Judgement",
    "MetricUse",
    "Standing",
    "VerdictFile",
    "advise",
    "find",
    "judge",
    "packaged_verdict",
]
