"""What the loss of a batch is made of, and which modules of a method have a say in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from onlay.batches import joined, mapped, rows, tensors_of
from onlay.errors import AnatomyError

if TYPE_CHECKING:
    from onlay.anatomy.adapter import Adapter
    from onlay.features import Features


@dataclass(frozen=True)
class OfFeatures:
    """What a method's `loss` is given for a head that has a `forward_loss` alone; its output is
    the features."""

    loss: Callable[[Features, Any], Tensor]


def asked(adapter: Adapter, name: str) -> list[Callable[..., Any]]:
    """The method of that name of every module that has one; a module that is shared comes once."""
    found = [getattr(module, name, None) for module in adapter.modules()]
    return [each for each in found if callable(each) and not isinstance(each, nn.Module)]


def check_losses(adapter: Adapter, method: str) -> None:
    """Refuse what nobody could add up.

    Raises:
        AnatomyError: two modules bring a `loss`, or one brings `views` that no `loss` looks at.
    """
    views, losses = asked(adapter, "views"), asked(adapter, "loss")
    if len(views) > 1 or len(losses) > 1:
        name = "loss" if len(losses) > 1 else "views"
        raise AnatomyError(
            f"{max(len(views), len(losses))} modules of `{method}` bring `{name}`, and a batch has"
            " only one: let one module bring it, which holds what the others know"
        )
    if views and not losses:
        raise AnatomyError(
            f"a module of `{method}` brings `views` and none brings"
            " `loss(output, targets, head)`: the task's own loss would not fit the output of"
            " several views"
        )


def task_loss(adapter: Adapter, head: Any, output: Any, targets: Any, *, training: bool) -> Tensor:
    """The task's part of the loss: the head's, or in training that of the method's module which
    puts its own in this place.

    Under autocast it is taken outside of it, in float32, as losses are.

    Raises:
        AnatomyError: the head has no `loss` of an output.
    """
    own = asked(adapter, "loss") if training else []
    if not own and not hasattr(head, "loss"):
        raise AnatomyError(
            "this task has no loss of an output alone, for its `forward_loss` needs features and"
            " targets at once: call `model(inputs, targets)`"
        )
    kind = next((t.device.type for t in tensors_of(output)), "cpu")
    if not torch.is_autocast_enabled(kind):
        return own[0](output, targets, head) if own else head.loss(output, targets)
    with torch.autocast(kind, enabled=False):
        output = _widened(output)
        return own[0](output, targets, head) if own else head.loss(output, targets)


def by_views(
    answer: Callable[[Features], Any], head: nn.Module, features: Features, single: int | None
) -> Any:
    """The head's output of a batch that holds views of `single` inputs, one after the other. With
    batch norms it is called for each by itself: joint statistics would be of neither."""
    every = len(features.patches)
    single = every if single is None else single
    if single == every or not any(isinstance(m, _BatchNorm) for m in head.modules()):
        return answer(features)
    parts = [slice(at, at + single) for at in range(0, every, single)]
    return joined([answer(rows(features, part)) for part in parts])


def auxiliary_losses(adapter: Adapter, loss: Tensor) -> Tensor:
    """The loss with what the method's modules add to it."""
    if not torch.is_autocast_enabled(loss.device.type):
        return _added(adapter, loss)
    with torch.autocast(loss.device.type, enabled=False):
        return _added(adapter, loss)


def _added(adapter: Adapter, loss: Tensor) -> Tensor:
    for auxiliary in asked(adapter, "auxiliary_loss"):
        loss = loss + auxiliary()
    return loss


def _widened(tree: Any) -> Any:
    """Tensors in half precision as float32, in lists too."""
    return mapped(_wide, tree)


def _wide(leaf: Any) -> Any:
    if isinstance(leaf, list):
        return [_widened(each) for each in leaf]
    half = isinstance(leaf, Tensor) and leaf.dtype in (torch.float16, torch.bfloat16)
    return leaf.float() if half else leaf
