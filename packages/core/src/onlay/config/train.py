"""How a run trains. Names are timm's wherever timm has one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from onlay.config.base import Config
from onlay.config.oneof import NameOf


class TrainConfig(Config):
    """Optimizer, schedule, precision, selection and bookkeeping of one training."""

    epochs: PositiveInt = 30
    """Passes over the training part."""
    batch_size: PositiveInt = 64
    """Samples in one forward pass of one process; a step sees `grad_accum_steps` such
    batches of every process."""
    grad_accum_steps: PositiveInt = 1
    """Forward and backward passes that make up one optimizer step."""
    eval_batch_size: PositiveInt = 128
    """Samples in one forward pass of one process in evaluation."""
    lr: PositiveFloat = 1e-3
    """Peak learning rate, reached after warm-up; not rescaled with the batch size."""
    min_lr: NonNegativeFloat = 0.0
    """Learning rate at the end of the cosine."""
    warmup_lr: NonNegativeFloat = 0.0
    """Learning rate from which the linear warm-up starts."""
    warmup_epochs: NonNegativeFloat | None = None
    """Epochs (or a fraction of one) of linear warm-up; left out, a tenth of `epochs`."""
    weight_decay: NonNegativeFloat = 0.01
    """AdamW's decoupled weight decay."""
    filter_bias_and_bn: bool = True
    """Leave biases and one-dimensional tensors without weight decay."""
    opt_betas: tuple[float, float] = (0.9, 0.999)
    """AdamW's decay rates of the gradient's first and second moment."""
    mixup: NonNegativeFloat = 0.0
    """Alpha of mixup: whole batches are blended with themselves in another order, with shares from
    Beta(alpha, alpha), and so are their targets; 0: off."""
    cutmix: NonNegativeFloat = 0.0
    """Alpha of cutmix, which puts a part of another input in (a box of a picture, the neighbours of
    a point of a cloud); 0: off."""
    mixup_prob: float = Field(default=1.0, ge=0, le=1)
    """Share of the batches that are mixed, where `mixup` or `cutmix` is on."""
    mixup_switch_prob: float = Field(default=0.5, ge=0, le=1)
    """Share of cutmix among these, where both are on."""
    mixup_off_epoch: NonNegativeInt = 0
    """Epochs after which nothing is mixed any more; 0: mixed to the end."""
    sampler: Literal["shuffle", "balanced"] = "shuffle"
    """`shuffle`: every sample once an epoch; `balanced`: every class equally often. Its epoch is as
    long; a class that has fewer samples than its share repeats them, each time augmented anew, one
    that has more shows a part of them, another one each epoch."""
    clip_grad: PositiveFloat | None = 1.0
    """Largest global norm of the gradient; null does not clip."""
    model_ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the trained tensors, which is then evaluated and
    saved; null: none."""
    seed: NonNegativeInt = 0
    """Seeds initialisation, order of samples, augmentation and dropout."""
    selection: Literal["last", "best_val", "best_test_as_published"] = "last"
    """Which epoch's weights are kept. `best_test_as_published` chooses on the test part, as
    many papers do; its figure is optimistic and the report says so."""
    early_stopping: PositiveInt | None = None
    """Stop after so many epochs without a better main metric on the judged part; null: never."""
    precision: Literal["no", "bf16", "fp16"] | None = None
    """Mixed precision; null takes what `accelerate launch` was told, else none."""
    compile: bool = False
    """Compile the model with torch.compile."""
    grad_checkpointing: bool = False
    """Recompute the blocks' activations in backward: less memory, about a third more time."""
    num_workers: NonNegativeInt | None = None
    """Processes that load data; left out, none on a CPU and up to 8 for an accelerator. Results
    do not depend on it."""
    trackers: tuple[Annotated[str, NameOf("tracker")], ...] = ("tensorboard",)
    """Experiment trackers that the run reports to, beside `metrics.jsonl`: a list, or names with
    commas between. Accelerate's own (`tensorboard wandb trackio mlflow comet_ml aim clearml dvclive
    swanlab`), and those that plugins register."""
    log_every: PositiveInt = 10
    """Optimizer steps between two reports to trackers and plugins."""
    checkpoint_every: PositiveInt | None = None
    """Optimizer steps between two checkpoints inside an epoch; one is always written at its end."""

    @field_validator("trackers", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (
            [n.strip() for n in value.split(",") if n.strip()] if isinstance(value, str) else value
        )

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if self.warmup_epochs is not None and self.warmup_epochs > self.epochs:
            raise ValueError(
                f"`warmup_epochs` {self.warmup_epochs:g} is more than `epochs` {self.epochs}"
            )
        if self.min_lr > self.lr:
            raise ValueError(f"`min_lr` {self.min_lr:g} is above `lr` {self.lr:g}")
        return self

    @property
    def warmup(self) -> float:
        """Epochs of warm-up."""
        return self.epochs / 10 if self.warmup_epochs is None else self.warmup_epochs
