"""A task whose loss needs features and targets at once: classification that draws the features of a
class together (Wen et al. 2016, A Discriminative Feature Learning Approach).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import NonNegativeFloat

from onlay import hookimpl
from onlay.descriptors import Task
from onlay.tasks.config import ClassificationConfig

if TYPE_CHECKING:
    from torch import Tensor


class CentredConfig(ClassificationConfig):
    """The class of an input; features of a class lie close together."""

    name: Literal["centred"] = "centred"
    pull: NonNegativeFloat = 0.1
    """Weight of the squared distance between features and the centre of their class."""


def build(config: CentredConfig, anatomy: Any, labels: Sequence[str]) -> Any:
    """The head; in a function, so that registering imports no torch."""
    import torch
    from torch import nn

    from onlay.tasks.classification import ClassificationHead
    from onlay.tasks.pooled import pooled_size

    class Head(ClassificationHead):
        soft_targets = None  # the centre of a mixture of two classes would be neither's

        def __init__(self) -> None:
            super().__init__(config, pooled_size(config, anatomy), labels)
            self.centres_CD = nn.Parameter(torch.zeros(len(labels), anatomy.stages[-1].width))

        def forward_loss(self, features: Any, targets: "Tensor") -> "Tensor":
            """In the place of `loss(output, targets)`, which sees no features."""
            mean_BD = features.patches.mean(1)
            away = (mean_BD - self.centres_CD[targets]).square().sum(1).mean()
            return self.loss(self(features), targets) + config.pull * away

    return Head()


@hookimpl
def register_tasks() -> Iterable[Task]:
    yield Task(
        name="centred",
        config=CentredConfig,
        build="centred:build",
        summary="classification with features that lie close together",
        targets="class",
        examples=({}, {"pool": "cls+mean", "hidden": [8], "hidden_norm": "batch"}),
    )
