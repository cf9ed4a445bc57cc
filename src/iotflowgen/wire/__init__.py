"""Bytes of captures, columnar: where headers and messages lie, what they say, and back to bytes.

Nothing here keeps state, and nothing looks at one packet at a time.
"""

__all__: list[str] = []
