"""Settings of the built-in tasks; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeFloat, PositiveInt, field_validator

from onlay.config.base import Config

POOLS = ("pretrained", "cls", "mean", "max", "prompts", "prompts_max")


class PooledConfig(Config):
    """What tasks have whose answer is one vector for a whole input."""

    name: str
    """The task."""
    pool: str = "pretrained"
    """What the head reads: `pretrained` (as the backbone was trained), `cls`, `mean` or `max` of
    the patches, `prompts` or `prompts_max` (mean or maximum of the tokens that adapters inserted),
    or several, concatenated: `cls+mean`."""
    head_norm: Literal["none", "batch"] = "none"
    """`batch`: batch normalisation without parameters of its own before the linear layer, as MAE's
    linear probes have it (He et al. 2022, appendix A.1), for backbones pretrained without labels,
    whose features hardly differ from image to image; folded into the layer on export."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of layers before the last one, each with a ReLU; `[256, 256]` with
    `hidden_norm: batch` and `dropout: 0.5` is the head of Point-MAE, ACT and DAPT, `[256]` with
    `none` Point-BERT's."""
    hidden_norm: Literal["none", "batch"] = "none"
    """`batch`: batch normalisation before each ReLU of the hidden layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout while training: on the pooled features, or behind each hidden layer if there are
    any."""
    zero_head: bool = False
    """Start the head at zero, weights and bias, so that every class begins equally likely."""

    @field_validator("pool")
    @classmethod
    def _known_pools(cls, pool: str) -> str:
        parts = pool.split("+")
        if not set(parts) <= set(POOLS) or len(set(parts)) < len(parts):
            raise ValueError(f"must be of {', '.join(f'`{p}`' for p in POOLS)}, joined by `+`")
        return pool


class ClassificationConfig(PooledConfig):
    """One class for each input: pooled features, hidden layers if any, one linear layer,
    cross-entropy."""

    name: Literal["classification"] = "classification"
    """This task."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread evenly over all classes (timm's `smoothing`); a share s of
    the *other* classes alone, as in Point-BERT with s = 0.2, is s · n / (n - 1) here."""
    class_weights: Literal["none", "balanced"] | tuple[NonNegativeFloat, ...] = "none"
    """Weight of each class in the loss: `balanced` is n / (classes · n_class) over the training
    part, a list gives one weight for each class in the order of the labels. The loss of a step is
    the weighted mean over all of its samples, over accumulated batches and processes."""
