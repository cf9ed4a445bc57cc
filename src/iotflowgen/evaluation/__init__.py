"""How detectable synthetic traffic is, measured so that the figure can be trusted."""

from iotflowgen.evaluation.cross_validation import Detection, cross_validate

__all__ = ["Detection", "cross_validate"]
