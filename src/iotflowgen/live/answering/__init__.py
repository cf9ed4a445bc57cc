"""Answers of decoys to whoever asks them: learnt, written, and sent by a process of its own."""

__all__: list[str] = []
