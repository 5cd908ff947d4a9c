"""What earlier versions left on disk is read, answers as it did, and is gone on with.

The files are those of `write_golden.py`, a folder for each version; numbers may differ by what
other versions of torch and other processors round differently.
"""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from onlay.bundle import seal
from onlay.cli import main
from onlay.config import files
from onlay_arc.config import ArcConfig

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.relative_to(GOLDEN) for path in GOLDEN.glob("*/*/expected.json"))
RUNS = sorted(path.parent.relative_to(GOLDEN) for path in GOLDEN.glob("*/*/run"))
NEAR: dict[str, Any] = {"rel": 1e-3, "abs": 1e-4}


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all versions, a copy, in which one works."""
    root = Path(shutil.copytree(GOLDEN, tmp_path / "golden"))
    for path in root.rglob("*.xz"):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        path.unlink()
    return root


def onlay(*words: str) -> Result:
    told = CliRunner().invoke(main, list(words))
    assert told.exit_code == 0, told.output
    return told


def near(found: Any, expected: Any) -> bool:
    """The same JSON but for rounding."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(near(found[k], expected[k]) for k in found)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(near, found, expected))
    return found == (pytest.approx(expected, **NEAR) if type(expected) is float else expected)


def test_every_task_of_ours_has_left_something() -> None:
    assert {case.name for case in CASES} >= {
        *(f"picture_{what}" for what in ("classes", "labels", "numbers")),
        *(f"cloud_{what}" for what in ("classes", "labels", "numbers", "parts")),
    }
    assert {run.name for run in RUNS} >= {"picture_classes", "cloud_classes"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_bundle_answers_as_it_did(
    case: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(unpacked / case.parent)
    expected = json.loads(Path(case.name, "expected.json").read_text())
    told = onlay("predict", f"{case.name}/bundle", expected["asked"], "--json")
    assert near(json.loads(told.stdout), expected["answers"]), told.stdout


def ends_as_it_did(case: str) -> None:
    """`run` is gone on with, to the metrics and the tensors of the run that nobody stopped."""
    told = onlay("train", "run/config.yaml")
    assert "resumed in epoch 2/2, at step 3" in told.output
    expected = json.loads(Path(case, "expected.json").read_text())
    assert near(json.loads(Path("run/summary.json").read_text())["metrics"], expected["metrics"])
    ours = load_file("run/bundle/adapter_model.safetensors")
    theirs = load_file(f"{case}/bundle/adapter_model.safetensors")
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, rtol=1e-2, atol=1e-3), name


@pytest.mark.parametrize("case", RUNS, ids=str)
def test_a_run_that_was_stopped_goes_on_to_the_same_end(
    case: Path, unpacked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(unpacked / case.parent)
    Path(case.name, "run").rename("run")
    ends_as_it_did(case.name)


@pytest.fixture
def older(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """`older(schema)`: bundle and run of `picture_classes` with ARC's `rank` under the name
    `bottleneck`, as a schema before today's had it, which is 2 from now on."""
    monkeypatch.chdir(unpacked / RUNS[0].parent)
    monkeypatch.setattr(ArcConfig, "schema_version", 2)
    monkeypatch.setattr(
        ArcConfig,
        "migrate",
        classmethod(lambda cls, data, version: {"rank": data.pop("bottleneck"), **data}),
    )

    def write(schema: int) -> None:
        Path("picture_classes/run").rename("run")
        manifest = Path("picture_classes/bundle/adapter_config.json")
        text = json.loads(manifest.read_text())
        text["method"] = of_schema(text["method"], schema)
        manifest.write_text(json.dumps(text))
        seal(manifest.parent)
        config = files.read(Path("run/config.yaml"))
        files.write(
            Path("run/config.yaml"), config | {"method": of_schema(config["method"], schema)}
        )

    return write


def of_schema(block: dict[str, Any], schema: int) -> dict[str, Any]:
    return {"bottleneck" if k == "rank" else k: v for k, v in block.items()} | {"$v": schema}


def test_what_a_plugin_wrote_in_an_older_schema_is_migrated(older: Callable[[int], None]) -> None:
    older(1)
    expected = json.loads(Path("picture_classes/expected.json").read_text())
    told = onlay("predict", "picture_classes/bundle", expected["asked"], "--json")
    assert near(json.loads(told.stdout), expected["answers"]), told.stdout
    ends_as_it_did("picture_classes")
    assert files.read(Path("run/config.yaml"))["method"]["rank"] == 1


def test_what_a_plugin_wrote_in_a_newer_schema_is_refused_in_words(
    older: Callable[[int], None],
) -> None:
    older(3)
    for words in (
        ("predict", "picture_classes/bundle", "data/pictures/test"),
        ("train", "run/config.yaml"),
    ):
        told = CliRunner().invoke(main, list(words))
        assert told.exit_code == 2
        assert "method: written by a newer version (schema 3, this one reads 2)" in told.stderr
