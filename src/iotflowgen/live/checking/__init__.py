"""Whether a network lets decoys through, and what to change."""

__all__: list[str] = []
