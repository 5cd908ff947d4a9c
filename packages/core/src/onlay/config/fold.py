"""One fold of several, as a run has it."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, NonNegativeInt, model_validator

from onlay.settings import Config


class FoldConfig(Config):
    """What is tested is a fold of the training part, dealt so that all folds are alike; the others
    are trained on."""

    of: int = Field(ge=2)
    """How many folds."""

    fold: NonNegativeInt = 0
    """Which one is tested, from 0 on."""

    seed: NonNegativeInt = 0
    """Of the dealing; not that of training, so that runs of several seeds have the same folds."""

    @model_validator(mode="before")
    @classmethod
    def _of_how_many(cls, value: Any) -> Any:
        if isinstance(value, int | str):
            raise ValueError(f"say of how many, too: `fold.of=10 fold.fold={value}`")
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.fold >= self.of:
            raise ValueError(f"there is no fold {self.fold} of {self.of}: they count from 0")
        return self
