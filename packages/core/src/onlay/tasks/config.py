"""Settings of the built-in tasks; imports no torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from onlay.settings import Config

POOLS = ("pretrained", "cls", "mean", "max", "prompts", "prompts_max", "tokens")


class PooledConfig(Config):
    """What tasks have whose answer is one vector for a whole input."""

    name: str
    """The task."""
    pool: str = "pretrained"
    """What the head reads: `pretrained` (as the backbone was trained), `cls`, `mean` or `max` of
    the patches, `prompts` or `prompts_max` (mean or maximum of the tokens that adapters inserted),
    `tokens` (the mean of all of these, as in the head of STAG), or several, concatenated:
    `cls+mean`."""
    head_norm: Literal["none", "batch"] = "none"
    """`batch`: batch normalisation without parameters of its own before the linear layer, as MAE's
    linear probes have it (He et al. 2022, appendix A.1), for backbones pretrained without labels,
    whose features hardly differ from image to image; folded into the layer on export."""
    hidden: tuple[PositiveInt, ...] = ()
    """Widths of layers before the last one, each with an `activation`; `[256, 256]` with
    `hidden_norm: batch` and `dropout: 0.5` is the head of Point-MAE, ACT and DAPT, `[256]` with
    `none` Point-BERT's."""
    hidden_norm: Literal["none", "batch"] = "none"
    """`batch`: batch normalisation before the activation of each hidden layer."""
    activation: Literal["relu", "gelu"] = "relu"
    """Behind each hidden layer; `gelu` in the head of PPT."""
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


class MultilabelConfig(PooledConfig):
    """Any number of labels for each input: pooled features, hidden layers if any, one linear layer,
    a sigmoid for each label."""

    name: Literal["multilabel"] = "multilabel"
    """This task."""
    loss: Literal["bce", "focal", "asymmetric"] = "bce"
    """Of each label: `bce`, binary cross-entropy; `focal` (Lin et al. 2017), which looks at what is
    found hard; `asymmetric` (Ridnik et al. 2021), which forgets the many labels that are rightly
    absent. The loss is the mean over all labels that are known."""
    alpha: Annotated[float, Field(gt=0, lt=1)] | None = 0.25
    """Of `focal`: the weight of labels that are there; that of the others is 1 - alpha. Null: 1 for
    both."""
    gamma: NonNegativeFloat = 2.0
    """Of `focal`: a label that is found with probability p counts (1 - p)^gamma."""
    gamma_neg: NonNegativeFloat = 4.0
    """Of `asymmetric`: as `gamma`, for labels that are not there."""
    gamma_pos: NonNegativeFloat = 1.0
    """Of `asymmetric`: as `gamma`, for labels that are there; its authors take 0 for MS-COCO."""
    clip: float = Field(default=0.05, ge=0, lt=1)
    """Of `asymmetric`: subtracted from the probability of labels that are not there, so that what
    is below counts nothing."""
    pos_weight: Literal["none", "balanced"] | tuple[PositiveFloat, ...] = "none"
    """Weight of the inputs that have a label beside those that have it not: `balanced` is their
    number without over their number with it in the training part, a list gives one for each
    label."""
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Targets are s/2 and 1 - s/2 instead of 0 and 1."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """An input has the labels whose probability is at least this, in answers and metrics."""

    @model_validator(mode="after")
    def _of_the_loss(self) -> Self:
        for name, loss in _ONLY_FOR.items():
            changed = getattr(self, name) != type(self).model_fields[name].default
            if changed and self.loss != loss:
                raise ValueError(
                    f"`{name}` belongs to `loss: {loss}`, and the loss is `{self.loss}`"
                )
        return self


_ONLY_FOR = {
    **dict.fromkeys(("alpha", "gamma"), "focal"),
    **dict.fromkeys(("gamma_neg", "gamma_pos", "clip"), "asymmetric"),
}


class RegressionConfig(PooledConfig):
    """One or several numbers for each input: pooled features, hidden layers if any, one linear
    layer."""

    name: Literal["regression"] = "regression"
    """This task."""
    loss: Literal["l1", "l2", "huber"] = "l2"
    """Of scaled numbers: the mean of absolute errors, of squared ones, or of `huber`, which is
    squared up to `delta` and straight beyond."""
    delta: PositiveFloat = 1.0
    """Of `huber`, in scaled units."""
    scaling: Literal["standard", "minmax", "none"] = "standard"
    """What the layers learn: numbers of mean 0 and deviation 1 (`standard`), from 0 to 1
    (`minmax`), or as they are; by the training part, and kept in the bundle. Answers, outputs and
    metrics are in the numbers' own unit."""
    metric: Literal["r2", "mae", "rmse"] = "r2"
    """By which a run is judged: its best epoch, early stopping, tables over seeds. `r2` is 1 where
    all is met and 0 for the mean of what is judged; of `mae` and `rmse` lower is better."""
    unit: str | dict[str, str] = ""
    """What stands behind the numbers, `cm`; of several ones by name, `{height: cm, weight: kg}`.
    `%` is written as `percent`: 45 of them stay 45."""

    @model_validator(mode="after")
    def _of_the_loss(self) -> Self:
        if self.loss != "huber" and self.delta != 1.0:
            raise ValueError(f"`delta` belongs to `loss: huber`, and the loss is `{self.loss}`")
        return self
