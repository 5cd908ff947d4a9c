"""Any number of labels for each input: a sigmoid for each.

Shapes: B batch, C labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from onlay.data import targets_of
from onlay.errors import ConfigError, OnlayError
from onlay.host.firstparty import install
from onlay.reports import PERCENT
from onlay.task import Constant
from onlay.tasks.constants import frequencies
from onlay.tasks.label_losses import LabelLoss
from onlay.tasks.label_targets import checked_labels, known
from onlay.tasks.labels_answer import LabelsAnswer
from onlay.tasks.pooled import PooledHead, pooled_size

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.reports import Report
    from onlay.tasks.config import MultilabelConfig


def build(config: MultilabelConfig, anatomy: Anatomy, labels: Sequence[str]) -> MultilabelHead:
    """A head for the width that the backbone gives out."""
    return MultilabelHead(config, pooled_size(config, anatomy), labels)


class MultilabelHead(PooledHead):
    """One logit for each label."""

    main_metric = "map"
    measures = MappingProxyType(dict.fromkeys(("map", "f1", "f1_micro"), PERCENT))
    pos_weight: Tensor | None

    def __init__(self, config: MultilabelConfig, size: int, labels: Sequence[str]) -> None:
        super().__init__(config, size, labels)
        self.config, self.each = config, _loss(config)
        balanced = config.pos_weight == "balanced"
        self.register_buffer("pos_weight", _start(config, self.labels), persistent=balanced)
        self.weighed = not balanced
        self.gaps = True
        """Whether labels of the training may be unknown, so that its batches do not count alike."""

    def prepare(self, splits: Splits) -> None:
        """Balance `pos_weight`, if asked for, by the training part; and see whether any label is
        unknown there."""
        targets = targets_of(splits.train)
        targets_NC = targets if isinstance(targets, Tensor) else torch.stack([*targets])
        self.gaps = not bool(known(targets_NC).all())
        if self.config.pos_weight == "balanced":
            assert self.pos_weight is not None
            self.pos_weight.copy_(balanced_positives(targets_NC))

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Of logits (B, C) and targets (B, C), 1, 0, or -1 where unknown: the mean over all that
        are known, scalar; 0 where nothing is.

        For a mean over several batches multiply each by its share of `weight_of`.

        Raises:
            DataError: targets that are none of these.
        """
        if not self.weighed:
            self._check_weights()
        targets_BC = checked_labels(output, targets)
        told_BC = known(targets_BC)
        smooth = self.config.label_smoothing
        wanted_BC = targets_BC.where(told_BC, 0.0) * (1 - smooth) + smooth / 2
        loss_BC = self.each(output, wanted_BC, self.pos_weight)
        return (loss_BC * told_BC).sum() / told_BC.sum().clamp(min=1)

    def weight_of(self, targets: Tensor) -> Tensor | None:
        """How many labels of a batch are known; None in a training where all are."""
        return known(targets).sum().float() if self.gaps or not self.training else None

    def soft_targets(self, targets: Tensor) -> Tensor:
        """As shares (B, C), NaN where unknown: what is mixed with that is unknown, too."""
        return targets.float().where(known(targets), torch.nan)

    def _check_weights(self) -> None:
        """Until balanced weights have come from data or from a bundle."""
        if self.pos_weight is not None and self.pos_weight.isnan().any():
            raise ConfigError("`pos_weight: balanced` needs the data: call `model.prepare(splits)`")
        self.weighed = True

    def metrics(self) -> nn.Module:
        """`map`, the mean average precision over the labels that occur; `f1`, its mean over them at
        the threshold, and `f1_micro`, that of all labels together."""
        try:
            from torchmetrics import MetricCollection

            from onlay.tasks.label_metrics import F1, MeanAveragePrecision
        except ImportError as error:
            raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
        count, threshold = len(self.labels), self.config.threshold
        return MetricCollection(
            {
                "map": MeanAveragePrecision(count),
                "f1": F1(count, threshold, "macro"),
                "f1_micro": F1(count, threshold, "micro"),
            },
            compute_groups=False,
        )

    def constant(self, targets: Iterable[Any]) -> Constant:
        """Each label, as likely as it is frequent among these."""
        return frequencies(targets)

    def predict(self, output: Tensor) -> list[LabelsAnswer]:
        """The labels of each input, and every label's probability, likeliest first."""
        return [self._answer(row) for row in output.detach().float().sigmoid().cpu()]

    def report(self, outputs: Tensor, targets: Tensor) -> Report:
        """Of all logits (N, C) and labels (N, C); see `onlay.tasks.label_report`."""
        from onlay.tasks.label_report import label_report

        return label_report(outputs, targets, self.labels, self.config.threshold)

    def _answer(self, probabilities_C: Tensor) -> LabelsAnswer:
        order = probabilities_C.argsort(descending=True, stable=True).tolist()
        ranked = {self.labels[i]: float(probabilities_C[i]) for i in order}
        return LabelsAnswer(ranked, self.config.threshold)


def balanced_positives(targets_NC: Tensor) -> Tensor:
    """Inputs without each label over those with it, (C,); 1 where one of the two is missing.

    >>> balanced_positives(torch.tensor([[1, 1], [0, 1], [0, -1], [0, 1]]))
    tensor([3., 1.])
    """
    there = (targets_NC >= 0.5).sum(0).float()
    absent = known(targets_NC).sum(0) - there
    return torch.where((there > 0) & (absent > 0), absent / there.clamp(min=1), 1.0)


def _loss(config: MultilabelConfig) -> LabelLoss:
    if config.loss == "bce":
        return LabelLoss()
    if config.loss == "asymmetric":
        return LabelLoss(gamma_pos=config.gamma_pos, gamma_neg=config.gamma_neg, clip=config.clip)
    there, absent = (1.0, 1.0) if config.alpha is None else (config.alpha, 1 - config.alpha)
    return LabelLoss(there, absent, config.gamma, config.gamma)


def _start(config: MultilabelConfig, labels: Sequence[str]) -> Tensor | None:
    if config.pos_weight == "none":
        return None
    if config.pos_weight == "balanced":
        return torch.full((len(labels),), float("nan"))
    if len(config.pos_weight) != len(labels):
        given = len(config.pos_weight)
        raise ConfigError(f"`pos_weight` has {given} values and there are {len(labels)} labels")
    return torch.tensor(config.pos_weight)
