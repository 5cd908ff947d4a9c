"""What `dense.py` measures of a finished run beside its own metrics.

Shapes: n objects, H and W pixels.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from scipy import ndimage
from torch import Tensor
from torch.utils.data import DataLoader

import onlay
from onlay.config import resolve
from onlay.config.overrides import merged
from onlay.host import PluginHost
from onlay.model.assemble import move_targets
from onlay.model.splits import read_splits
from onlay_dense.depth.metrics import DepthErrors
from onlay_dense.objects.metrics import ObjectsAP
from onlay_train.evaluate_run import evaluate_run

KINDS = {"segmentation": "mask", "depth": "map"}
EIGHT = torch.ones(3, 3, dtype=torch.int).numpy()
"""A pixel's neighbours, diagonal ones too."""


def on_training(run: Path, host: PluginHost) -> dict[str, float]:
    """Metrics of the training part, seen as in evaluation."""
    plain = ["data.preprocess.augment=none"]
    return dict(evaluate_run(run, host, split="train", overrides=plain).metrics)


@torch.inference_mode()
def components_ap(run: Path, content: dict[str, Any], host: PluginHost) -> float:
    """COCO's mask AP of the test part's nuclei, where each connected component of the predicted
    mask is an object, as sure as its pixels are on average."""
    model = onlay.load(run / "bundle", host=host).eval()
    config = resolve(_with_objects(content), (), host=host)
    test: Any = read_splits(config, model.built.input_spec, host).test
    test.move_targets({"boxes": "boxes", "masks": "mask"})
    metric = ObjectsAP(["nucleus"], 300, ("mask",))
    for index in range(len(test)):
        picture, objects = test[index]
        found = components(model(picture[None]).softmax(1)[0, 1])
        metric.update({k: [v] for k, v in found.items()}, {k: [v] for k, v in objects.items()})
    return float(metric.compute()["mask_ap"])


def _with_objects(content: dict[str, Any]) -> dict[str, Any]:
    """The same pictures with their objects."""
    data = {k: v for k, v in content["data"].items() if k not in ("masks", "values")}
    objects = {"name": "instance_folder", "labels": ["nucleus"], "instances": "instances"}
    return content | {"data": data | objects, "task": "instances"}


def components(share_HW: Tensor) -> dict[str, Tensor]:
    """Of a picture as the metric takes them; of a nucleus at each pixel the probability.

    >>> components(torch.tensor([[0.9, 0.7, 0.1, 0.6]]))["scores"]
    tensor([0.8000, 0.6000])
    """
    numbers, count = ndimage.label((share_HW > 0.5).numpy(), structure=EIGHT)
    masks_nHW = torch.from_numpy(numbers)[None] == torch.arange(1, count + 1)[:, None, None]
    height, width = share_HW.shape
    pixels_n = masks_nHW.sum((1, 2))
    return {
        "masks": masks_nHW,
        "boxes": torch.tensor([[0, 0, width, height]]).float().expand(count, 4),  # masks lie so
        "labels": torch.zeros(count, dtype=torch.long),
        "scores": (masks_nHW * share_HW).sum((1, 2)) / pixels_n,
        "size": torch.tensor([height, width]),
    }


def trivial(content: dict[str, Any], host: PluginHost) -> dict[str, float]:
    """Of the test part, what an answer reaches that looks at no picture: of nuclei, background
    everywhere; of rooms, at each place the geometric mean of the training part's depths."""
    plain = merged(content, {"data": {"preprocess": {"augment": "none"}}})
    config = resolve(plain, (), host=host)
    spec = onlay.adapt("onlay_vit_64", "linear", num_classes=2).built.input_spec
    splits: Any = read_splits(config, spec, host)
    move_targets(SimpleNamespace(target_kinds=KINDS[config.task.name]), splits.train, splits.test)
    truths = torch.stack([splits.test[index][1] for index in range(len(splits.test))])
    if config.task.name == "segmentation":
        return {"miou": float((truths == 0).float().mean()) / 2}
    seen = torch.stack([each[1] for each in DataLoader(splits.train, batch_size=None)])
    metric = DepthErrors(low=1e-3, high=10.0)
    metric.update(seen.log().mean(0).exp().expand_as(truths), truths)
    return {name: float(value) for name, value in metric.compute().items()}
