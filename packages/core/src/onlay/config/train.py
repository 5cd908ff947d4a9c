"""How a run trains. Names are timm's wherever timm has one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from onlay.config.oneof import NameOf
from onlay.descriptors import resolve
from onlay.settings import Config


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
    opt: Annotated[str, NameOf("optimizer")] = "adamw"
    """Optimizer: torch's (`adamw sgd adam nadam radam adamax adagrad adadelta adafactor rmsprop
    asgd`), timm's with `onlay-image` (`lion lamb adan ...`), or one that a plugin registers;
    `onlay plugins` lists them."""
    opt_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Settings of its own by the optimizer's names, such as `{amsgrad: true}`; they win over
    `opt_betas` and `momentum`."""
    lr: PositiveFloat = 1e-3
    """Peak learning rate, reached after warm-up; not rescaled with the batch size."""
    head_lr: PositiveFloat | None = None
    """Peak learning rate of the task's head, which moves as `lr` does; null: `lr`."""
    layer_decay: float = Field(default=1.0, gt=0, le=1)
    """Factor of the learning rate from each block to the one before it: what acts in the last block
    has `lr` times this, the block before times its square, what acts before the blocks least; the
    last norm and the head have all of it. A tensor that blocks share counts to the last of them."""
    lr_factors: dict[str, PositiveFloat] = Field(default_factory=dict)
    """Factors of the learning rates of some trained tensors, by patterns of their names, such as
    `{"*.score.*": 0.1}`; where several fit, the last one counts. One that fits none is an error."""
    sched: Literal["cosine", "constant", "step", "poly"] = "cosine"
    """How the learning rate falls after warm-up: half a `cosine` to `min_lr`, not at all
    (`constant`), times `decay_rate` every `decay_epochs` (`step`), or as `poly`, to `min_lr` by
    the power `poly_power` of what is left."""
    min_lr: NonNegativeFloat = 0.0
    """Learning rate at the end of `cosine` and `poly`, and the least of `step`."""
    decay_epochs: PositiveFloat | None = None
    """Epochs between two decays of `step`; left out, a third of `epochs`."""
    decay_rate: float = Field(default=0.1, gt=0, le=1)
    """What `step` multiplies the learning rate by."""
    poly_power: PositiveFloat = 0.9
    """Power of `poly`; 1 is a straight line."""
    warmup_lr: NonNegativeFloat = 0.0
    """Learning rate from which the linear warm-up starts."""
    warmup_epochs: NonNegativeFloat | None = None
    """Epochs (or a fraction of one) of linear warm-up; left out, a tenth of `epochs`."""
    weight_decay: NonNegativeFloat = 0.01
    """Weight decay, as the optimizer has it: decoupled from the gradient in AdamW."""
    filter_bias_and_bn: bool = True
    """Leave biases, one-dimensional tensors and what the backbone's `no_weight_decay()` names
    (class token, tables of positions) without weight decay, as timm does."""
    opt_betas: tuple[float, float] = (0.9, 0.999)
    """Decay rates of the gradient's first and second moment; as they are here, an optimizer that
    has others of its own (Lion) keeps these."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of the optimizers that take one (`sgd`, where it is Nesterov's, `rmsprop`,
    `lars`)."""
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
    evaluate_test: bool = True
    """Evaluate the chosen weights on the test part at the end; false leaves that part unseen, as
    the trials of a search do."""
    evaluate_train: bool = False
    """Evaluate them on the training part, too, each item once, changed by chance as in training
    (`train_top1`): what was learnt by heart shows in the distance to the test part. Not of a
    stream."""
    early_stopping: PositiveInt | None = None
    """Stop after so many epochs (one's patience) without a better main metric on the judged part;
    null: never. The learning rate falls over all of `epochs`, whether they are reached or not."""
    precision: Literal["no", "bf16", "fp16"] | None = None
    """Mixed precision; null takes what `accelerate launch` was told, else none."""
    compile: bool = False
    """Compile the model with torch.compile."""
    grad_checkpointing: bool = False
    """Recompute the blocks' activations in backward: less memory, about a third more time."""
    cache: Literal["prefix"] | None = None
    """`prefix` computes what never changes once and keeps it on disk: what leaves the last block
    before the first adapted one (`method.last_blocks`), or, where the head alone trains, what it
    reads. Other runs on the same backbone and data share it; null: nothing is kept."""
    cache_views: PositiveInt | None = None
    """Augmented views of each training sample that are kept, those of the first epochs, and seen
    in turn; null refuses augmentation."""
    cache_dtype: Literal["float32", "bf16", "fp16"] = "float32"
    """What kept numbers are rounded to; the two short ones take half the disk."""
    cache_dir: Path | None = None
    """Where it is kept; null: `prefix` in the user's cache folder, such as `~/.cache/onlay`."""
    num_workers: NonNegativeInt | None = None
    """Processes that load data; left out, none on a CPU and up to 8 for an accelerator. Results
    do not depend on it."""
    trackers: tuple[Annotated[str, NameOf("tracker")], ...] = ("tensorboard",)
    """Experiment trackers that the run reports to, beside `metrics.jsonl`: a list, or names with
    commas between. Accelerate's own (`tensorboard wandb trackio mlflow comet_ml aim clearml dvclive
    swanlab`), and those that plugins register."""
    log_every: PositiveInt = 10
    """Optimizer steps between two reports to trackers and plugins."""
    pictures: int = Field(default=4, ge=0, le=64)
    """Inputs of the judged part that trackers which take pictures get after every epoch, where the
    task answers with maps: the picture, the answer, the truth, and how they differ; 0: none."""
    checkpoint_every: PositiveInt | None = None
    """Optimizer steps between two checkpoints inside an epoch; one is always written at its end."""

    @field_validator("trackers", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        return (
            [n.strip() for n in value.split(",") if n.strip()] if isinstance(value, str) else value
        )

    @field_validator("opt_kwargs")
    @classmethod
    def _of_the_optimizer(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        """By the optimizer's own class of settings, if it has one."""
        host, name = (info.context or {}).get("host"), info.data.get("opt")
        found = host.optimizers.get(name) if host else None
        if found is not None and found.settings:
            resolve(found.settings).model_validate(given)
        elif found is not None and (wrong := no_setting(given)):
            raise ValueError(wrong)
        return given

    @model_validator(mode="after")
    def _fits(self) -> TrainConfig:
        if self.warmup_epochs is not None and self.warmup_epochs > self.epochs:
            raise ValueError(
                f"`warmup_epochs` {self.warmup_epochs:g} is more than `epochs` {self.epochs}"
            )
        if self.cache_views is not None and self.cache is None:
            raise ValueError("`cache_views` says what is kept, and `cache` keeps nothing")
        if self.min_lr > self.lr:
            raise ValueError(f"`min_lr` {self.min_lr:g} is above `lr` {self.lr:g}")
        return self

    @property
    def warmup(self) -> float:
        """Epochs of warm-up."""
        return self.epochs / 10 if self.warmup_epochs is None else self.warmup_epochs


def no_setting(given: Mapping[str, Any]) -> str:
    """Why one of these is no setting of an optimizer's own: every group of tensors has the run's
    rate and weight decay."""
    name = next((name for name in ("lr", "weight_decay") if name in given), None)
    return f"`{name}` is the run's: say `train.{name}`" if name else ""
