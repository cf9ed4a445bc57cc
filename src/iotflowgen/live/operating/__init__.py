"""How those who run decoys ask for them, and hear of them."""

__all__: list[str] = []
