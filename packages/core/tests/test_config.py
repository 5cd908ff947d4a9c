"""Run configurations over plugins that the tests make up: `bend`, `zoo`, `photos`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar, Literal

import pytest
from jsonschema import Draft202012Validator
from pydantic import Field, ValidationError

from onlay import PluginHost, config, hookimpl
from onlay.config import files
from onlay.config.base import Config
from onlay.config.explain import explained
from onlay.config.overrides import merged, overridden
from onlay.config.run import RunConfig
from onlay.config.schema import run_schema
from onlay.descriptors import Backbone, Dataset, Method
from onlay.errors import ConfigError, OnlayError, UnknownName
from onlay.host import builtin
from onlay.host.firstparty import install
from onlay.tasks.config import ClassificationConfig

DATA = Path(__file__).parent / "data"


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


@pytest.fixture
def host(monkeypatch):
    module = ModuleType("fake")
    for function in (register_methods, register_backbones, register_datasets, provides):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, "fake", module)
    host = PluginHost()
    host.add(builtin, name="core", distribution="onlay", version="0.2.0")
    record = host.add(module, name="fake", distribution="onlay-fake", version="4.2")
    assert record.status == "ok", record.reason
    return host


@pytest.fixture
def data():
    return {"backbone": "zoo_tiny_16", "method": "bend", "data": {"name": "photos", "root": "pets"}}


def refusal(data, host, *overrides):
    with pytest.raises(OnlayError) as told:
        config.resolve(data, overrides, host)
    return str(told.value)


def test_lists_in_overrides_are_written_as_in_files() -> None:
    texts = [
        "data.extra=[r, g,1e-3]",
        "data.parts={train: [a, b]}",
        "out=a[/b]c",
        "x=[r",
        "y=[a: {]",
    ]
    assert overridden({}, texts) == {
        "data": {"extra": ["r", "g", 1e-3], "parts": {"train": ["a", "b"]}},
        "out": "a[/b]c", "x": "[r", "y": "[a: {]",
    }  # fmt: skip


def test_numbers_are_finite(data, host):
    assert refusal(data, host, "train.lr=nan") == "train.lr: must be a finite number"
    assert "finite" in refusal(data | {"train": {"lr": float("inf")}}, host)


# --- one of the registered


def test_short_forms_and_defaults(data, host):
    run = config.resolve(data, [], host)
    assert run.method == BendConfig()
    assert run.backbone == ZooConfig(model="zoo_tiny_16")
    assert run.task == ClassificationConfig()
    assert run.out == Path("runs/zoo_tiny_16-bend")
    assert run.plugins == {"onlay": "0.2.0", "onlay-fake": "4.2"}


def test_configuration_objects_are_taken_as_they_are(data, host):
    method = BendConfig(rank=3)
    assert config.resolve(data | {"method": method}, [], host).method is method
    assert config.parse("method", method, host) is method


@pytest.mark.parametrize("value", ["bend", {"name": "bend"}, {"name": "bend", "rank": 8}])
def test_parse(value, host):
    assert config.parse("method", value, host) == BendConfig()


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ({"name": "bend", "rank": 0}, "method.rank: must be greater than 0"),
        ({"name": "bend", "rnk": 8}, "method.rnk: unknown key; did you mean `rank`?"),
        ({"name": "bend", "x": 8}, "method.x: unknown key; have: name, rank, sites, depth"),
        (
            {"name": "bend", "depth": {"fist": 1}},
            "method.depth.fist: unknown key; did you mean `first`?",
        ),
        ({"name": "bend", "rank": "wide"}, "method.rank: must be a valid integer (got `wide`)"),
        (
            {"name": "bend", "rank": -1, "depth": {"first": -1}},
            "method.rank: must be greater than 0; "
            "method.depth.first: must be greater than or equal to 0",
        ),
        (
            {"name": "bend", "sites": ["attn.in", "q"]},
            "method.sites.1: must be 'attn.in' or 'mlp.in' (got `q`)",
        ),
        ({"rank": 8}, "method: `name` is missing (have: bend, bitfit, full, linear)"),
        (7, "method: must be a name or a block with a `name`"),
        (
            "bent",
            "no method `bent` is installed (have: bend, bitfit, full, linear); "
            "did you mean `bend`?",
        ),
        (
            "iconformer",
            "no method `iconformer` is installed (have: bend, bitfit, full, linear); "
            f"it comes with `onlay-iconformer`: {install('onlay-iconformer')}",
        ),
    ],
)
def test_errors_are_one_sentence_with_a_short_place(data, host, method, sentence):
    assert refusal(data | {"method": method}, host) == sentence
    with pytest.raises(OnlayError) as told:
        config.parse("method", method, host)
    assert str(told.value) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"metod": "bend"}, "metod: unknown key; did you mean `method`?"),
        ({"train": {"learning": 1}}, "train.learning: unknown key"),
        ({"train": {"lr": "fast"}}, "train.lr: must be a valid number (got `fast`)"),
        ({"data": {"name": "photos"}}, "data.root: is missing"),
        ({"task": {"label_smoothing": 1}}, "task.label_smoothing: must be less than 1"),
        ({"train": {"lr.x": 1}}, "train.lr.x: unknown key"),
        ({"data": {"name": "photos", "root": 3}}, "data.root: must be a path (got `3`)"),
        (
            {"task": {"class_weights": "balancd"}},
            "task.class_weights: must be 'none' or 'balanced' or must be a list (got `balancd`)",
        ),
        (
            {"task": {"class_weights": [1, -2]}},
            "task.class_weights.1: must be greater than or equal to 0",
        ),
        ({"train": {"opt_betas": [1, 1, 1]}}, "train.opt_betas: must have at most 2 items, not 3"),
        ({"task": {"pool": "median"}}, "task.pool: must be of `pretrained`, `cls`"),
        ({"backbone": "zoo_bundle"}, "no backbone `zoo_bundle` is installed"),
        ({"backbone": "zoo_bundle"}, "did you mean `zoo_bundled`?"),
        ({"backbone": "point_mae"}, "pip install --find-links dist onlay-pointcloud`"),
        (
            {"preset": "strng"},
            "method `bend` has no preset `strng` (have: strong, solid, flat); did you mean",
        ),
    ],
)
def test_errors_of_a_run(data, host, change, sentence):
    assert sentence in refusal(data | change, host)


def test_a_missing_block_is_told(host):
    assert refusal({"method": "bend"}, host) == "backbone: is missing; data: is missing"


# --- what fits together


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"backbone": "zoo_points"},
            "method `bend` needs a backbone that provides `grid`, "
            "and `zoo_points` provides `points`",
        ),
        ({"backbone": "swin_tiny"}, "method `bend` cannot run on `swin_tiny`: its widths differ"),
        (
            {"data": "clouds"},
            "data set `clouds` holds points data and backbone `zoo_tiny_16` takes image data",
        ),
    ],
)
def test_a_misfit_is_told_before_anything_is_built(data, host, change, sentence):
    assert refusal(data | change, host) == sentence


# --- overrides


def test_overrides_are_json_where_they_parse():
    data = overridden(
        {"method": {"name": "bend"}},
        [
            "method.rank=4",
            "train.lr=1e-3",
            "data.size=[224,224]",
            "out=runs/x",
            "a.b.c=null",
            "t=no",
        ],
    )
    assert data == {
        "method": {"name": "bend", "rank": 4},
        "train": {"lr": 0.001},
        "data": {"size": [224, 224]},
        "out": "runs/x",
        "a": {"b": {"c": None}},
        "t": "no",
    }


def test_a_later_override_wins_and_the_data_is_left_alone():
    data = {"method": {"name": "bend", "rank": 1}}
    assert overridden(data, ["method.rank=2", "method.rank=3"])["method"]["rank"] == 3
    assert data == {"method": {"name": "bend", "rank": 1}}


def test_overrides_widen_short_forms(data, host):
    run = config.resolve(data, ["method.rank=4", "backbone.img_size=32", "task.dropout=0.5"], host)
    assert run.method == BendConfig(rank=4)
    assert run.backbone == ZooConfig(model="zoo_tiny_16", img_size=32)
    assert run.task == ClassificationConfig(dropout=0.5)


def test_an_override_replaces_a_whole_block(data, host):
    data["method"] = {"name": "bend", "rank": 4}
    assert config.resolve(data, ["method=linear"], host).method.name == "linear"


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("method.rank", "`method.rank` is no override: write `key=value`, such as `method.rank=8`"),
        (".rank=3", "`.rank=3` is no override"),
        ("method.rank.x=3", "`method.rank.x=3`: `rank` holds `4`, which has no keys"),
        ("method.rnk=4", "method.rnk: unknown key; did you mean `rank`?"),
    ],
)
def test_wrong_overrides(data, host, override, sentence):
    data["method"] = {"name": "bend", "rank": 4}
    assert sentence in refusal(data, host, override)


# --- presets


def test_own_values_go_before_the_preset(data, host):
    own = {"method": {"name": "bend", "rank": 2}, "preset": "strong", "train": {"lr": 0.1}}
    run = config.resolve(data | own, [], host)
    assert run.method == BendConfig(rank=2, sites=("attn.in", "mlp.in"))
    assert (run.train.lr, run.train.weight_decay) == (0.1, 0.25)
    assert run.preset == "strong"


def test_overrides_go_before_the_preset_too(data, host):
    run = config.resolve(data, ["preset=strong", "method.rank=3", "train.weight_decay=0"], host)
    assert (run.method.rank, run.train.lr, run.train.weight_decay) == (3, 0.5, 0)


def test_a_preset_of_another_modality_says_so_before_its_fields_are_met(data, host):
    assert refusal(data, host, "preset=solid") == (
        "preset `solid` is for `points` data and backbone `zoo_tiny_16` takes `image` data;"
        " `onlay explain bend` lists the presets"
    )


def test_a_preset_of_the_backbones_own_modality(data, host):
    assert config.resolve(data, ["preset=flat"], host).method.rank == 3


def test_merged_is_deep():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}, "d": {"e": 5}}) == {
        "a": {"b": 1, "c": 4},
        "d": {"e": 5},
    }


# --- files


def test_a_file_of_megabytes_is_no_configuration(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("a: " + "x" * 2**20)
    with pytest.raises(ConfigError, match=r"is larger than a configuration can be, 1024 KiB"):
        files.read(path)


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "{a: " * 5000])
def test_a_file_that_is_nested_without_end_is_a_sentence(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"is nested more deeply than a configuration can be"):
        files.read(path)


def test_an_empty_name_of_the_runs_folder_is_a_sentence(data, host):
    with pytest.raises(ConfigError, match=r"^out: is empty; leave it out for a folder below"):
        config.resolve(data, ["out="], host)


@pytest.mark.parametrize("preset", [0.5, [1], {"a": 1}, True])
def test_a_preset_that_is_no_name_is_a_sentence(data, host, preset):
    with pytest.raises(ConfigError, match=r"^preset: "):
        config.resolve({**data, "preset": preset}, (), host)


def test_yaml_1_2(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("lr: 1e-3\nbig: 1E5\ntag: no\ntime: 12:30:45\nmode: 0o17\nyes: on\nx: null\n")
    assert files.read(path) == {
        "lr": 0.001,
        "big": 100000.0,
        "tag": "no",
        "time": "12:30:45",
        "mode": 15,
        "yes": "on",
        "x": None,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1, 2\nb: 3\n", "is not valid YAML: .*line 2"),
        ("a: 1\na: 2\n", 'is not valid YAML: found duplicate key "a".*line 2'),
        ("- a\n- b\n", "must hold `key: value` lines"),
        ("1: a\n", "must hold `key: value` lines"),
        ("a: !!python/object:os.system x\n", "is not valid YAML"),
    ],
)
def test_unreadable_files_are_named(tmp_path, text, sentence):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=rf"`{path}` {sentence}"):
        files.read(path)
    with pytest.raises(ConfigError, match="no configuration file"):
        files.read(tmp_path / "ran.yaml")


def test_a_resolved_file_reads_back_to_the_same_run(tmp_path, host):
    run = config.load(DATA / "run.yaml", ["train.seed=3"], host)
    assert run.train.lr == 1e-3
    assert run.method.rank == 4
    config.save(run, tmp_path / "config.yaml", heading="onlay train run.yaml")
    written = (tmp_path / "config.yaml").read_text()
    assert written.startswith("# onlay train run.yaml\n")
    data = files.read(tmp_path / "config.yaml")
    assert data["method"]["$v"] == 3
    assert data["train"]["weight_decay"] == 0.25
    assert set(data) == {*RunConfig.model_fields, "$v"}, "every default is written"
    assert config.load(tmp_path / "config.yaml", [], host) == run
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]


def test_json_carries_versions_and_python_dumps_do_not():
    assert BendConfig().model_dump()["depth"] == {"first": 0}
    dumped = BendConfig().model_dump(mode="json")
    assert dumped["$v"] == 3
    assert "$v" not in dumped["depth"], "a part of a block is versioned with the block"
    assert BendConfig.model_validate(dumped) == BendConfig()


# --- schema versions


def test_an_old_file_is_brought_up_one_step_at_a_time(host):
    run = config.load(DATA / "bend_v1.yaml", [], host)
    assert run.method == BendConfig(rank=6, depth=Depth(first=1))


def test_from_version_two_only_the_second_step_is_made(host):
    method = config.parse("method", {"name": "bend", "$v": 2, "rank": 5}, host)
    assert method == BendConfig(rank=5, depth=Depth(first=1))


@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"method": {"name": "bend", "$v": 4}}, "method: written by a newer version (schema 4"),
        ({"method": {"name": "bend", "$v": "x"}}, "method: `$v` must be a whole number"),
        ({"$v": 2}, "written by a newer version (schema 2, this one reads 1)"),
    ],
)
def test_newer_files_are_refused_in_words(data, host, block, sentence):
    assert sentence in refusal(data | block, host)


def test_an_override_is_in_the_words_of_today(host):
    """Over a file of schema 1, whose migration would put `bottleneck` in its place."""
    assert config.load(DATA / "bend_v1.yaml", ["method.rank=9"], host).method.rank == 9


def test_a_later_version_of_our_own_settings(data, host, monkeypatch):
    """Made up: once `label_smoothing` was `smoothing`, and `epochs` stood on top."""

    def of_the_task(cls, data, version):
        return {"label_smoothing": data.pop("smoothing"), **data}

    def of_the_run(cls, data, version):
        train = {"epochs": data.pop("epochs"), **data.pop("train")}
        return {**data, "train": train}

    for cls, migrate in ((ClassificationConfig, of_the_task), (RunConfig, of_the_run)):
        monkeypatch.setattr(cls, "schema_version", 2)
        monkeypatch.setattr(cls, "migrate", classmethod(migrate))
    task = {"name": "classification", "smoothing": 0.25, "$v": 1}
    old = data | {"task": task, "epochs": 7, "train": {"lr": 0.5}, "$v": 1}
    run = config.resolve(old, ["train.seed=3"], host)
    assert run.task.label_smoothing == 0.25
    assert (run.train.epochs, run.train.lr, run.train.seed) == (7, 0.5, 3)
    assert config.resolve(old, ["train.epochs=2", "task.label_smoothing=0"], host).train.epochs == 2
    assert old["task"] == {"name": "classification", "smoothing": 0.25, "$v": 1}
    assert old["epochs"] == 7
    again = config.resolve(run.model_dump(mode="json"), [], host)
    assert again == run
    assert run.model_dump(mode="json")["$v"] == 2


@pytest.mark.parametrize(
    ("migrate", "reason"),
    [
        (None, "NotImplementedError: BundledConfig has no migration from schema 1"),
        (lambda cls, data, version: {"model": data["network"]}, "KeyError: 'network'"),
        (lambda cls, data, version: data.update(model="x"), "it gave a `NoneType`"),
    ],
)
def test_a_migration_that_fails_is_told_as_its_authors_mistake(
    data, host, monkeypatch, migrate, reason
):
    monkeypatch.setattr(BundledConfig, "schema_version", 2)
    if migrate is not None:
        monkeypatch.setattr(BundledConfig, "migrate", classmethod(migrate))
    assert refusal(data | {"backbone": {"name": "zoo_bundled", "$v": 1}}, host) == (
        "backbone: written by an older version (schema 1, this one reads 2), and"
        f" `BundledConfig.migrate` fails ({reason}): tell the authors of the package that brings it"
    )


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


# --- the schema for editors


def told(value, host):
    """What a validator for editors says: the place of each fault, and its sentence."""
    schema = json.loads(json.dumps(run_schema(host)))
    Draft202012Validator.check_schema(schema)
    faults = Draft202012Validator(schema).iter_errors(value)
    return [(".".join(map(str, fault.absolute_path)), fault.message) for fault in faults]


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


@pytest.mark.parametrize(
    ("plugins", "advice"),
    [
        ({"acme-data": "1.2"}, "it comes with `acme-data 1.2`: `pip install acme-data==1.2`"),
        ({"acme-data": ""}, "it comes with `acme-data`: `pip install acme-data`"),
        ({"shelf.py": ""}, "it comes with a plugin file, `onlay --plugin shelf.py`"),
    ],
)
def test_a_run_file_of_plugins_that_are_gone_says_what_to_install(data, host, plugins, advice):
    noted = {"onlay": "0.2.0", "onlay-fake": "4.2", **plugins}
    with pytest.raises(UnknownName) as told:
        config.resolve(data | {"data": {"name": "shelf"}, "plugins": noted}, [], host)
    origin = f"a plugin that the run was made with is not there: {advice}"
    assert str(told.value).startswith("no dataset `shelf` is installed (have: ")
    assert str(told.value).endswith(f"; {origin}")
    config.resolve(data | {"plugins": noted}, [], host)  # what the run needs is there


def test_a_run_file_without_such_notes_says_what_there_is(data, host):
    for noted in ({"onlay": "0.2.0"}, "all"):
        with pytest.raises(UnknownName, match=r"no dataset `shelf` .*photos\)$"):
            config.resolve(data | {"data": {"name": "shelf"}, "plugins": noted}, [], host)
