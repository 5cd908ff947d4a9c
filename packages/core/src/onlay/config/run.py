"""The configuration of one run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from onlay.config.fold import FoldConfig
from onlay.config.oneof import OneOf
from onlay.config.overrides import merged
from onlay.config.presets import preset_of
from onlay.config.train import TrainConfig
from onlay.descriptors import resolve
from onlay.errors import AnatomyError, DataError
from onlay.host.fit import check_fit, check_targets
from onlay.settings import Config

if TYPE_CHECKING:
    from onlay.host import PluginHost

BLOCKS = {
    "backbone": OneOf("backbone"),
    "method": OneOf("method"),
    "data": OneOf("dataset"),
    "task": OneOf("task", default="classification"),
}
"""The fields that hold a registered configuration."""


def _classification() -> Config:
    return resolve("onlay.tasks.config:ClassificationConfig")()


class RunConfig(Config):
    """What one training is made of: a frozen backbone, a method, data, a task, and how to train."""

    schema_version: ClassVar[int] = 1

    backbone: Annotated[Config, BLOCKS["backbone"]]
    """The frozen network: a registered name, a timm name with its tag, or a block."""
    method: Annotated[Config, BLOCKS["method"]]
    """How the backbone is adapted: a name or a block."""
    data: Annotated[Config, BLOCKS["data"]]
    """What is learnt from: a block whose `name` is a layout of data on disk."""
    task: Annotated[Config, BLOCKS["task"]] = Field(default_factory=_classification)
    """Head, loss and metrics."""
    train: TrainConfig = TrainConfig()
    """Optimizer, schedule, precision, selection, bookkeeping."""
    preset: str | None = None
    """One of the method's named recipes; what the file says itself goes before it."""
    fold: FoldConfig | None = None
    """One fold of several instead of the data's own test part; `onlay folds` sets it."""
    out: Path | None = None
    """The run's folder; left out, `runs/<backbone>-<method>`."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """Distributions that the run used and their versions; written by `onlay`, not by hand."""

    @field_validator("out", mode="before")
    @classmethod
    def _some_folder(cls, out: Any) -> Any:
        if out == "":
            raise PydanticCustomError("out", "is empty; leave it out for a folder below `runs`")
        return out

    @model_validator(mode="before")
    @classmethod
    def _as_the_task_learns(cls, data: Any, info: ValidationInfo) -> Any:
        """Data that can tell several things tell what the task learns from."""
        host = (info.context or {}).get("host")
        if not isinstance(data, Mapping) or host is None:
            return data
        whole = widened(data, host)
        block, task = whole.get("data"), _name(whole.get("task")) or BLOCKS["task"].default
        dataset, learns = (
            _registered("dataset", _name(block), host),
            _registered("task", task, host),
        )
        if dataset is None or learns is None or not isinstance(block, Mapping):
            return data
        if block.get("targets") is not None:
            return data
        if "targets" not in getattr(dataset.config, "model_fields", ()):
            return data
        wanted = learns.targets or "class"
        if dataset.targets and wanted not in dataset.targets:
            return data  # `check_targets` says so
        return {**data, "data": {**block, "targets": wanted}}

    @model_validator(mode="before")
    @classmethod
    def _over_preset(cls, data: Any, info: ValidationInfo) -> Any:
        host = (info.context or {}).get("host")
        if not isinstance(data, Mapping) or host is None:
            return data
        if not isinstance(data.get("preset"), str):
            return data
        data = widened(data, host)
        method = data.get("method")
        if not isinstance(method, Mapping) or "name" not in method:
            return data
        found = host.find("method", method["name"])
        preset = dict(preset_of(found, data["preset"]))
        _check_modality(preset.pop("modality", None), data, host)
        return _over(data, preset, host)

    @model_validator(mode="after")
    def _fits_together(self, info: ValidationInfo) -> Self:
        host = (info.context or {}).get("host")
        if host is None:
            return self
        backbone = host.find("backbone", self.backbone.name)
        label, provides = backbone_label(self.backbone, host), resolve(backbone.provides)
        try:
            for kind, wanted in (("method", self.method), ("task", self.task)):
                found = host.find(kind, wanted.name)
                check_fit(found, provides(self.backbone), {}, label, wanted)
            task, data = host.find("task", self.task.name), host.find("dataset", self.data.name)
            check_targets(task, data, getattr(self.data, "targets", None), host.datasets)
        except (AnatomyError, DataError) as error:
            raise PydanticCustomError("fit", "{text}", {"text": str(error)}) from error
        if data.modality != backbone.modality:
            raise PydanticCustomError(
                "fit",
                "data set `{data}` holds {has} data and backbone `{backbone}` takes {takes} data",
                {
                    "data": self.data.name,
                    "has": data.modality,
                    "backbone": label,
                    "takes": backbone.modality,
                },
            )
        return self


def backbone_label(config: Config, host: PluginHost) -> str:
    """The name that a user would type: timm's own for timm's models, else the registered one."""
    field = host.find("backbone", config.name).catch_all
    return str(getattr(config, field)) if field else config.name


def widened(data: Mapping[str, Any], host: PluginHost) -> dict[str, Any]:
    """The data with every short form (`method: arc`) written as a block."""
    return {k: BLOCKS[k].widened(v, host) if k in BLOCKS else v for k, v in data.items()}


def _check_modality(modality: str | None, data: Mapping[str, Any], host: PluginHost) -> None:
    """A recipe for clouds has fields that no image backbone knows: say so before they are met."""
    block = data.get("backbone") or {}
    if modality is None or _name(block) not in host.backbones:
        return
    backbone = host.find("backbone", _name(block))
    if backbone.modality != modality:
        raise PydanticCustomError(
            "fit",
            "preset `{preset}` is for `{modality}` data and backbone `{backbone}` takes `{takes}`"
            " data; `onlay explain {method}` lists the presets",
            {
                "preset": data["preset"],
                "modality": modality,
                "backbone": block.get(backbone.catch_all, backbone.name),
                "takes": backbone.modality,
                "method": _name(data["method"]),
            },
        )


def _over(own: Mapping[str, Any], preset: Mapping[str, Any], host: PluginHost) -> dict[str, Any]:
    """The user's own values over the preset's; a block of another name replaces the preset's
    block."""
    under = widened(preset, host)
    for key in BLOCKS.keys() & own.keys() & under.keys():
        names = [
            block.get("name") for block in (own[key], under[key]) if isinstance(block, Mapping)
        ]
        if len(names) == 2 and None not in names and names[0] != names[1]:
            del under[key]
    return merged(under, own)


def _name(block: Any) -> Any:
    return block.get("name") if isinstance(block, Mapping) else None


def _registered(kind: str, name: Any, host: PluginHost) -> Any:
    """A descriptor, or None where there is none of the name, which is said elsewhere."""
    return host.registered(kind).get(name) if isinstance(name, str) else None
