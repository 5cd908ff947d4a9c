"""What `onlay-dense[detect]` installs, and what is said where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from onlay.errors import OnlayError
from onlay.host.firstparty import install

EXTRA = "onlay-dense[detect]"


def ap_metric(labels: Sequence[str], detections: int, *, masks: bool) -> nn.Module:
    """A collection of COCO's numbers.

    Raises:
        OnlayError: torchmetrics or faster-coco-eval is not installed.
    """
    try:
        from torchmetrics import MetricCollection
    except ImportError as error:
        raise OnlayError(f"metrics need `onlay-train`: {install('onlay-train')}") from error
    evaluator("average precision")
    from onlay_dense.objects.metrics import ObjectsAP

    kinds = ("mask", "box") if masks else ("box",)
    return MetricCollection({"ap": ObjectsAP(labels, detections, kinds)}, compute_groups=False)


def evaluator(what: str) -> Any:
    """The module `faster_coco_eval.core`.

    Raises:
        OnlayError: it is not installed; `what` is what needs it.
    """
    try:
        from faster_coco_eval import core
    except ImportError as error:
        raise OnlayError(f"{what} needs `{EXTRA}`: {install(EXTRA)}") from error
    return core
