"""The processes of decoys that run: what each is told, from a start to an end."""

__all__: list[str] = []
