"""Protocol configurations (paper, section 4.2) <-> tokens, one for each configuration seen."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

__all__ = ["ProtocolEncoder"]


class ProtocolEncoder(BaseModel):
    """Configurations, as bit masks, to tokens and back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    configurations: tuple[int, ...]
    """The configurations seen, rising; a token is a place in it."""

    @classmethod
    def fit(cls, protocols: NDArray[np.uint16]) -> "ProtocolEncoder":
        """Collect the configurations, of any shape."""
        return cls(configurations=tuple(np.unique(protocols).tolist()))

    @property
    def size(self) -> int:
        """How many tokens there are."""
        return len(self.configurations)

    def encode(self, protocols: NDArray[np.uint16]) -> NDArray[np.int64]:
        """Tokens, in the same shape; one not seen goes to the one seen that differs least."""
        distinct, where = np.unique(protocols, return_inverse=True)
        differing = np.bitwise_count(distinct[:, None] ^ self._masks)
        nearest: NDArray[np.int64] = differing.argmin(axis=1)
        return nearest[where].reshape(protocols.shape)

    def decode(self, tokens: NDArray[np.int64]) -> NDArray[np.uint16]:
        """The configuration of each token, in the same shape."""
        return self._masks[tokens]

    @cached_property
    def _masks(self) -> NDArray[np.uint16]:
        return np.array(self.configurations, dtype=np.uint16)
