"""Plugins that the tests of run configurations make up: `bend`, `zoo`, `photos`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field

from onlay import config, hookimpl
from onlay.config.schema import run_schema
from onlay.descriptors import Backbone, Dataset, Method
from onlay.errors import OnlayError
from onlay.settings import Config

DATA = Path(__file__).parents[1] / "data"


class Depth(Config):
    """Which blocks."""

    first: int = Field(default=0, ge=0)
    """The first block."""


class BendConfig(Config):
    """A bend in every block."""

    schema_version: ClassVar[int] = 3

    name: Literal["bend"] = "bend"
    """This method."""
    rank: int = Field(default=8, gt=0)
    """Width of the bend."""
    sites: tuple[Literal["attn.in", "mlp.in"], ...] = ("attn.in",)
    """Where."""
    depth: Depth = Depth()
    """How deep."""

    @classmethod
    def migrate(cls, data, version):
        if version == 1:  # `rank` was called `bottleneck`
            return {"rank": data.pop("bottleneck"), **data}
        return {**data, "depth": {"first": 1}}  # schema 2 always left out the first block


class ZooConfig(Config):
    """Networks by name."""

    name: Literal["zoo"] = "zoo"
    """This family."""
    model: str
    """The network."""
    img_size: int = 16
    """Pixels."""


class BundledConfig(Config):
    """One network."""

    name: Literal["zoo_bundled"] = "zoo_bundled"
    """This network."""


class PhotosConfig(Config):
    """A folder."""

    name: Literal["photos"] = "photos"
    """This layout."""
    root: Path
    """The folder."""


class CloudsConfig(Config):
    """A folder of point clouds."""

    name: Literal["clouds"] = "clouds"
    """This layout."""


@hookimpl
def register_methods():
    yield Method(
        name="bend",
        config=BendConfig,
        attach="fake:attach",
        summary="bends",
        needs=frozenset({"grid"}),
        refuses={"hierarchical": "its widths differ"},
        presets={
            "strong": {
                "method": {"rank": 32, "sites": ["attn.in", "mlp.in"]},
                "train": {"lr": 0.5, "weight_decay": 0.25},
                "task": "classification",
            },
            "solid": {"modality": "points", "backbone": {"groups": 64}},
            "flat": {"modality": "image", "method": {"rank": 3}},
        },
    )


@hookimpl
def register_backbones():
    yield Backbone(
        name="zoo",
        config=ZooConfig,
        build="fake:build",
        modality="image",
        provides="fake:provides",
        catch_all="model",
        summary="any name",
    )
    yield Backbone(
        name="zoo_bundled",
        config=BundledConfig,
        build="fake:build",
        modality="image",
        provides="fake:provides",
        summary="one",
    )


@hookimpl
def register_datasets():
    for name, cls, modality in (
        ("photos", PhotosConfig, "image"),
        ("clouds", CloudsConfig, "points"),
    ):
        yield Dataset(name=name, config=cls, build="fake:build", modality=modality, summary=name)


def provides(backbone):
    if "swin" in backbone.model:
        return frozenset({"grid", "hierarchical"})
    return frozenset({"grid", "sequence"} if "tiny" in backbone.model else {"points"})


def refusal(data, host, *overrides):
    with pytest.raises(OnlayError) as told:
        config.resolve(data, overrides, host)
    return str(told.value)


# --- the schema for editors


def told(value, host):
    """What a validator for editors says: the place of each fault, and its sentence."""
    schema = json.loads(json.dumps(run_schema(host)))
    Draft202012Validator.check_schema(schema)
    faults = Draft202012Validator(schema).iter_errors(value)
    return [(".".join(map(str, fault.absolute_path)), fault.message) for fault in faults]
