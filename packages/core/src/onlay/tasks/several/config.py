"""Settings of the task `several`; imports no torch."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, field_validator, model_validator

from onlay.config.oneof import OneOf
from onlay.settings import Config

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
"""Of a head."""


class SeveralConfig(Config):
    """Heads of other tasks side by side on one pass of the backbone, `heads: {parts: segmentation,
    depth: depth}`, on data that tell what each of them learns from."""

    name: Literal["several"] = "several"
    """This task."""

    heads: dict[str, Annotated[Config, OneOf("task")]] = Field(min_length=1)
    """Names of your own, each with a task or a block of its settings. A head learns from the target
    that the data have under its name, else from the one that its task learns from (`mask`,
    `depth`)."""

    weights: dict[str, PositiveFloat] = Field(default_factory=dict)
    """What the loss of a head is multiplied by before all are added up, `{depth: 0.5}`; default:
    1."""

    main: str | None = None
    """The metric by which a run is judged, `parts/miou`; default: that of the first head."""

    @field_validator("heads")
    @classmethod
    def _usable_names(cls, heads: dict[str, Config]) -> dict[str, Config]:
        for name in heads:
            if not NAME.fullmatch(name):
                raise ValueError(f"`{name}` names no head: it must be of letters, digits and `_`")
        return heads

    @model_validator(mode="after")
    def _weights_of_heads(self) -> Self:
        if alien := sorted(self.weights.keys() - self.heads.keys()):
            have = ", ".join(f"`{name}`" for name in self.heads)
            raise ValueError(f"`weights` names `{alien[0]}`, and the heads are {have}")
        return self
