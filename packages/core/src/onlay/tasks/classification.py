"""Classification: pooled features, hidden layers if any, one linear layer, cross-entropy.

Shapes: B batch, C classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from onlay.errors import ConfigError, DataError, OnlayError
from onlay.host.firstparty import install
from onlay.reports import PERCENT
from onlay.task import Constant, Prediction
from onlay.tasks.class_weights import balanced_weights, starting_weights
from onlay.tasks.constants import most_frequent
from onlay.tasks.pooled import PooledHead, pooled_size
from onlay.tasks.targets import IGNORED, checked_targets, one_hot

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.reports import Report
    from onlay.tasks.config import ClassificationConfig


def build(
    config: ClassificationConfig, anatomy: Anatomy, labels: Sequence[str]
) -> ClassificationHead:
    """A head for the width that the backbone gives out."""
    return ClassificationHead(config, pooled_size(config, anatomy), labels)


class ClassificationHead(PooledHead):
    """One logit for each class."""

    main_metric = "top1"
    measures = MappingProxyType({"top1": PERCENT, "mean_class": PERCENT})
    class_weights: Tensor | None

    def __init__(self, config: ClassificationConfig, size: int, labels: Sequence[str]) -> None:
        super().__init__(config, size, labels)
        self.config = config
        balanced = config.class_weights == "balanced"
        weights_C = starting_weights(config.class_weights, self.labels)
        self.register_buffer("class_weights", weights_C, persistent=balanced)
        self.weighed = not balanced

    def prepare(self, splits: Splits) -> None:
        """Balance the class weights, if asked for, by the training part's `facts["counts"]`.

        Raises:
            DataError: a single class, of which nothing can be learnt.
        """
        if len(self.labels) < 2:
            raise DataError(
                f"the data has one class only, `{self.labels[0]}`: classification needs two or more"
            )
        if self.config.class_weights == "balanced":
            counts = splits.facts.get("counts", {}).get("train")
            if counts is None:
                raise ConfigError("`class_weights: balanced` needs a data set that counts classes")
            assert self.class_weights is not None
            self.class_weights.copy_(balanced_weights(counts, self.labels))

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits (B, C) and class indices (B,), scalar.

        With class weights it is torch's weighted mean over *this* batch, divided by the weights of
        its own targets (0 where these are 0): a batch of one gives the same whatever its weight.
        For a mean over several batches multiply each by its share of `weight_of`. A target of -100
        is left out, as torch does it.

        Raises:
            DataError: targets that are no classes of these logits.
        """
        targets = checked_targets(output, targets)
        if self.class_weights is None:
            return self._entropy(output, targets, "mean")
        if not self.weighed:
            self._check_weights()
        weight = self.weight_of(targets)
        assert weight is not None
        total = self._entropy(output, targets, "sum")
        return total * (weight > 0) / torch.where(weight > 0, weight, 1)

    def _entropy(self, output: Tensor, targets: Tensor, reduction: str) -> Tensor:
        weights = self.class_weights
        return functional.cross_entropy(
            output.float(),
            targets,
            weight=None if weights is None else weights.float(),
            label_smoothing=self.config.label_smoothing,
            reduction=reduction,
        )

    def weight_of(self, targets: Tensor) -> Tensor | None:
        """The class weights of a batch's targets, summed (a share of a class counts as much of its
        weight); None without class weights, where every target counts alike."""
        if self.class_weights is None:
            return None
        weights_C, targets = self.class_weights.float(), targets.to(self.class_weights.device)
        if targets.is_floating_point():
            return (targets.float() @ weights_C).sum()
        weights_B = weights_C[targets.clamp(min=0)]
        return weights_B.where(targets != IGNORED, 0).sum()

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Class indices (B,) as probabilities (B, C): 1 for the class, 0 for the others.

        Raises:
            DataError: a target is no class.
        """
        return one_hot(targets, len(self.labels))

    def _check_weights(self) -> None:
        """Until balanced weights have come from data or from a bundle."""
        if self.class_weights is not None and self.class_weights.isnan().any():
            raise ConfigError(
                "`class_weights: balanced` needs the data: call `model.prepare(splits)`"
            )
        self.weighed = True

    def metrics(self) -> nn.Module:
        """`top1`, `mean_class` (the mean of the accuracies of the classes that occur), `top5`
        beyond five classes."""
        try:
            from torchmetrics import Metric, MetricCollection
            from torchmetrics.classification import MulticlassAccuracy

            from onlay.tasks.mean_class import MeanOfClasses
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        classes = max(len(self.labels), 2)
        metrics: dict[str, Metric | MetricCollection] = {
            "top1": MulticlassAccuracy(classes, average="micro", ignore_index=IGNORED),
            "mean_class": MeanOfClasses(classes),
        }
        if classes > 5:
            metrics["top5"] = MulticlassAccuracy(
                classes, average="micro", top_k=5, ignore_index=IGNORED
            )
        return MetricCollection(metrics)

    def constant(self, targets: Iterable[Any]) -> Constant:
        """The class that is most frequent among these."""
        return most_frequent(targets, len(self.labels))

    def predict(self, output: Tensor) -> list[Prediction]:
        """The likeliest class of each input, and every class's probability, likeliest first."""
        return [self._prediction(row) for row in output.detach().float().softmax(-1).cpu()]

    def truths(self, targets: Tensor) -> list[Prediction]:
        """The class of each input, or the shares of several."""
        return [self._prediction(row) for row in one_hot(targets, len(self.labels)).cpu()]

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of all logits (N, C) and classes (N,); see `onlay.tasks.class_report`."""
        from onlay.tasks.class_report import class_report

        return class_report(outputs, targets, self.labels)

    def _prediction(self, probabilities_C: Tensor) -> Prediction:
        order = probabilities_C.argsort(descending=True, stable=True).tolist()
        ranked = {self.labels[i]: float(probabilities_C[i]) for i in order}
        label = self.labels[order[0]]
        return Prediction(label, ranked[label], ranked)
