"""How detectable synthetic traffic is, measured so that the figure can be trusted."""

from iotflowgen.evaluation.cross_validation import (
    Detection,
    cross_validate,
    cross_validate_groups,
)
from iotflowgen.evaluation.protocols import (
    EvaluationWarning,
    Excess,
    Halves,
    HeldOutResult,
    HeldOutSplit,
    PaperResult,
    Source,
    given,
    held_out,
    paper,
)

__all__ = [
    "Detection",
    "EvaluationWarning",
    "Excess",
    "Halves",
    "HeldOutResult",
    "HeldOutSplit",
    "PaperResult",
    "Source",
    "cross_validate",
    "cross_validate_groups",
    "given",
    "held_out",
    "paper",
]
