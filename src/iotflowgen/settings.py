"""Configuration, and what methods that need PyTorch and others have in common of it."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, field_validator

__all__ = ["Accelerator", "Settings"]

Accelerator = Literal["auto", "cpu", "cuda"]
"""Where PyTorch runs; auto takes a GPU where there is one."""


_MOST: Final = 10**7
"""No setting counts more: what it would take is not there."""


class Settings(BaseModel):
    """Configuration that is read straight from a file.

    It is frozen, its numbers are within reason, and there is no name it does not know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _within_reason(cls, value: Any) -> Any:  # noqa: ANN401 - whatever a setting is
        if isinstance(value, int | float) and abs(value) > _MOST:
            raise ValueError(f"more than {_MOST} cannot be meant")
        return value
