"""Sending when it is due: a process of its own, small and quick, which imports no numpy."""

__all__: list[str] = []
