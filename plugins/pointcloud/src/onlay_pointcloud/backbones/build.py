"""From a backbone config to a network with its anatomy."""

from __future__ import annotations

from typing import Any

import torch

from onlay.anatomy import BuiltBackbone
from onlay_pointcloud.anatomy import dissect
from onlay_pointcloud.backbones.checkpoints import load_weights
from onlay_pointcloud.backbones.config import PointBackbone, PublishedBackbone
from onlay_pointcloud.network.point_mae import PointMae, ReCon

SHARED = ("groups", "group_size", "drop_path", "position", "skip_near_origin", "class_token")


def build(config: PublishedBackbone) -> BuiltBackbone:
    """A published network with its weights, or with the same random ones every time.

    Raises:
        BundleError: the file is no such checkpoint; names the tensors.
    """
    model = empty(config, **({"embed": 256} if config.name == "point_bert" else {}))
    if config.weights is not None:
        load_weights(model, config)
    return built(model, config)


def empty(config: PointBackbone, **architecture: Any) -> PointMae:
    """The network with random weights that depend on no generator of the caller's."""
    kind = ReCon if config.name == "recon" else PointMae
    given = {name: getattr(config, name) for name in SHARED if hasattr(config, name)}
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return kind(**given, **architecture)


def built(model: PointMae, config: PointBackbone, normalize: str = "unit_sphere") -> BuiltBackbone:
    """The network as data sets and methods see it."""
    return BuiltBackbone(
        module=model.eval(),
        anatomy=dissect(model, npoints=config.npoints, freeze_bn=config.freeze_bn),
        modality="points",
        input_spec={
            "npoints": config.npoints,
            "groups": config.groups,
            "group_size": config.group_size,
            "normalize": normalize,
        },
        source=config.model_dump(mode="json"),
        label=config.name,
    )


def adopt(module: torch.nn.Module) -> BuiltBackbone | None:
    """A network of this package that the user already holds; clouds have 16 points a group, as in
    pretraining."""
    if not isinstance(module, PointMae):
        return None
    npoints = 16 * module.group.groups
    return BuiltBackbone(
        module=module,
        anatomy=dissect(module, npoints=npoints),
        modality="points",
        input_spec={
            "npoints": npoints,
            "groups": module.group.groups,
            "group_size": module.group.group_size,
            "normalize": "unit_sphere",
        },
        source={},
        label=type(module).__name__,
    )
