"""What configuration classes are, and their schema for editors."""

from __future__ import annotations

from types import ModuleType

import pytest
from bend_zoo import (
    DATA,
    BendConfig,
    PhotosConfig,
    told,
)
from pydantic import ValidationError

from onlay import config, hookimpl
from onlay.config import files
from onlay.config.explain import explained
from onlay.config.run import RunConfig
from onlay.config.schema import run_schema
from onlay.tasks.config import ClassificationConfig

# --- the base


def test_configurations_are_frozen_and_strict():
    with pytest.raises(ValidationError, match="frozen"):
        BendConfig().rank = 3
    with pytest.raises(ValidationError, match="unknown key; did you mean `rank`"):
        BendConfig(rang=3)


@pytest.mark.parametrize("cls", [RunConfig, ClassificationConfig, BendConfig])
def test_every_field_is_described(cls):
    assert [f.name for f in explained(cls) if not f.description] == []


def test_explained():
    fields = {field.name: field for field in explained(BendConfig)}
    assert list(fields) == ["rank", "sites", "depth.first"]
    rank = fields["rank"]
    assert (rank.type, rank.default, rank.description) == ("int, > 0", "8", "Width of the bend.")
    assert fields["sites"].type == "list of `attn.in` or `mlp.in`"
    assert fields["sites"].default == '["attn.in"]'
    (root,) = explained(PhotosConfig)
    assert (root.type, root.default) == ("path", "required")


def test_plugins_are_told_of_the_resolved_configuration(data, host):
    heard = []

    @hookimpl
    def config_resolved(config):
        heard.append(config)

    ears = ModuleType("ears")
    ears.config_resolved = config_resolved
    host.add(ears, name="ears")
    run = config.resolve(data, [], host)
    assert heard == [run]


def test_shipped_and_resolved_files_conform_to_the_schema(tmp_path, host):
    assert not told(files.read(DATA / "run.yaml"), host)
    config.save(config.load(DATA / "run.yaml", [], host), tmp_path / "config.yaml")
    assert not told(files.read(tmp_path / "config.yaml"), host)


@pytest.mark.parametrize(
    ("change", "place", "sentence"),
    [
        ({"method": "bent"}, "method", "'bent' is not one of ['bend', 'bitfit', 'full', 'linear']"),
        ({"method": {"name": "bent"}}, "method.name", "'bent' is not one of ['bend', 'bitfit', "),
        ({"method": {"name": "bend", "rank": 0}}, "method.rank", "0 is less than or equal to"),
        ({"method": {"name": "bend", "rnk": 4}}, "method", "('rnk' was unexpected)"),
        ({"method": {"name": "bitfit", "rank": 4}}, "method", "('rank' was unexpected)"),
        ({"method": {"rank": 4}}, "method", "'name' is a required property"),
        ({"method": {"name": "bend", "$v": 9}}, "method.$v", "9 is greater than the maximum of 3"),
        ({"method": 3}, "method", "3 is not of type 'object'"),
        ({"task": {"pol": "cls"}}, "task", "('pol' was unexpected)"),
        ({"task": {"pool": 3}}, "task.pool", "3 is not"),
        ({"train": {"epochs": "many"}}, "train.epochs", "'many' is not of type 'integer'"),
        ({"metod": "bend"}, "", "('metod' was unexpected)"),
    ],
)
def test_an_editor_is_told_the_very_key(data, host, change, place, sentence):
    assert not told(data, host)
    ((where, said),) = told(data | change, host)
    assert where == place
    assert sentence in said


def test_the_schema_describes(host):
    bend = run_schema(host)["$defs"]["BendConfig"]["properties"]
    assert bend["rank"]["description"] == "Width of the bend."
