"""Configuration, and what methods that need PyTorch and others have in common of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Accelerator", "Settings"]

Accelerator = Literal["auto", "cpu", "cuda"]
"""Where PyTorch runs; auto takes a GPU where there is one."""


class Settings(BaseModel):
    """Configuration that is read straight from a file: frozen, and no name it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
