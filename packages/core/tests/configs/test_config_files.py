"""Run files: what is read, what is refused, and what a resolved one says."""

from __future__ import annotations

import pytest
from bend_zoo import (
    DATA,
    BendConfig,
)

from onlay import config
from onlay.config import files
from onlay.config.run import RunConfig
from onlay.errors import ConfigError, UnknownName

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
