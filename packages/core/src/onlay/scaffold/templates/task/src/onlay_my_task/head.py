"""The head with its loss, its metrics and its answers.

Shapes: B batch, N patches, D width, C classes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from onlay.anatomy import Anatomy
from onlay.data import Splits
from onlay.errors import AnatomyError, ConfigError, OnlayError
from onlay.features import Features
from onlay.reports import Measure
from onlay.task import Prediction
from torch import Tensor, nn
from torch.nn import functional

from .config import MyTaskConfig

if TYPE_CHECKING:
    from torchmetrics import MetricCollection


def build(
    config: MyTaskConfig,
    anatomy: Anatomy,
    labels: Sequence[str],
) -> "Head":
    """A head for the width that the backbone gives out."""
    if len(labels) < 2:
        raise ConfigError(f"the task needs two classes, and there is {len(labels)}")
    if config.pool == "cls" and "class_token" not in anatomy.provides:
        raise AnatomyError("`task.pool: cls` needs a class token: take `mean`")
    return Head(config, anatomy.stages[-1].width, labels)


class Head(nn.Module):
    """What `onlay.task.TaskHead` asks for; all of its parameters train and are saved."""

    main_metric = "mean_f1"  # of `metrics`: picks the best epoch
    measures: ClassVar = {"mean_f1": Measure("%"), "exact_match": Measure("%")}
    # An error in centimetres that must fall would be `Measure("cm", better="lower")`.

    def __init__(
        self,
        config: MyTaskConfig,
        width: int,
        labels: Sequence[str],
    ) -> None:
        super().__init__()
        self.config, self.labels = config, tuple(labels)
        self.dropout = nn.Dropout(config.dropout)
        self.fc = nn.Linear(width, len(self.labels))

    def prepare(self, splits: Splits) -> None:
        """Called once before training; weights of the classes could be taken here."""

    def forward(self, features: Features) -> Tensor:
        """Logits (B, C)."""
        pooled_BD = features.patches.mean(1)
        if self.config.pool == "cls" and features.cls is not None:
            pooled_BD = features.cls
        return self.fc(self.dropout(pooled_BD))

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Binary cross-entropy of logits (B, C), scalar; targets as `many_hot` takes them."""
        wanted_BC = many_hot(targets, len(self.labels))
        return functional.binary_cross_entropy_with_logits(output.float(), wanted_BC)

    def metrics(self) -> "MetricCollection":
        """`mean_f1` over the classes, and `exact_match`, the share of faultless inputs."""
        try:
            from .metrics import scores
        except ImportError as error:
            text = "metrics need `torchmetrics`: `pip install torchmetrics`"
            raise OnlayError(text) from error
        return scores(len(self.labels), self.config.threshold)

    def predict(self, output: Tensor) -> list[Prediction]:
        """Each class with its own probability, likeliest first; they do not sum to 1.

        An answer says itself in a line, in the cells of a table and in a record for JSON:
        `Prediction` is that of classes. For a number, a mask or a text give out a class of your
        own with these methods; `onlay.task.Answer` lists them, and `write` for files.
        """
        return [self._answer(row) for row in output.detach().float().sigmoid().cpu()]

    def _answer(self, probabilities_C: Tensor) -> Prediction:
        order = probabilities_C.argsort(descending=True, stable=True).tolist()
        ranked = {self.labels[i]: float(probabilities_C[i]) for i in order}
        return Prediction(self.labels[order[0]], ranked[self.labels[order[0]]], ranked)


def many_hot(targets: Tensor, classes: int) -> Tensor:
    """(B, C) of zeros and ones: given so, or the index (B,) of the only class."""
    if targets.ndim == 1:
        targets = functional.one_hot(targets, classes)
    return targets.float()
