"""Ports of decoys that are served by others, in network namespaces of the decoys' own."""

__all__: list[str] = []
