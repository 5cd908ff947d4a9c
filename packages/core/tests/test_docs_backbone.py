"""The backbone, the modality and their data set in the documentation: the very files that the pages
quote."""

from __future__ import annotations

import base64
import io
import json
import pickle
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from onlay import PluginHost, adapt, hooks
from onlay.anatomy import BuiltBackbone
from onlay.cli import main
from onlay.descriptors import Backbone, Modality, resolve
from onlay.errors import BundleError, DataError
from onlay.inspecting import Observation
from onlay.testing import run_checks
from onlay.testing.suites import SUITES

DOCS = Path(__file__).parents[3] / "docs"
PLUGINS = ("recordings", "recording_net", "recording_folder")
HELPERS = ("recording_network", "recording_anatomy", "recording_files", "recording_pages")
FACTS = {"channels": 1, "length": 4, "mean": 1.0, "std": 2.0}


@pytest.fixture(scope="module")
def host() -> Iterator[PluginHost]:
    before = [*sys.path]
    yield PluginHost.discover(files=[DOCS / "examples" / f"{name}.py" for name in PLUGINS])
    sys.path[:] = before
    for name in PLUGINS + HELPERS:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def modality(host: PluginHost) -> Any:
    return host.find("modality", "recording")


@pytest.mark.parametrize(
    ("kind", "name"), [("backbone", "recording_net"), ("dataset", "recording_folder")]
)
def test_it_keeps_the_contract_of_its_kind(host: PluginHost, kind: str, name: str) -> None:
    assert not [o for o in run_checks(kind, name, host=host) if not o.good]


def test_building_moves_nobody_elses_random_numbers(host: PluginHost) -> None:
    backbone = host.find("backbone", "recording_net")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    resolve(backbone.build)(backbone.config(**backbone.examples[0]))
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_read_or_refused_with_the_files_name(host: PluginHost, tmp_path: Path) -> None:
    backbone, path = host.find("backbone", "recording_net"), tmp_path / "weights.pt"
    build, small = resolve(backbone.build), dict(backbone.examples[0])
    state = build(backbone.config(**small)).module.state_dict()
    torch.save({**state, "norm.bias": torch.full((16,), 0.25)}, path)
    again = build(backbone.config(**small, weights=path)).module
    assert torch.equal(again.norm.bias, torch.full((16,), 0.25))
    with pytest.raises(BundleError, match=r"weights.pt` does not fit"):
        build(backbone.config(**{**small, "width": 32}, weights=path))


def test_files_become_scaled_tensors_of_one_length(modality: Any, tmp_path: Path) -> None:
    """(3 - 1) / 2 = 1, (0 - 1) / 2 = -0.5; other processes get the reader, too."""
    read = pickle.loads(pickle.dumps(resolve(modality.reader)(FACTS)))
    path = tmp_path / "a.npy"
    np.save(path, np.array([[3.0, 0.0]]))
    assert read(path).tolist() == [[1.0, -0.5, 0.0, 0.0]]
    np.save(path, np.array([[1, 3, 5, 7, 9]]))
    assert read(path).tolist() == [[0.0, 1.0, 2.0, 3.0]]
    assert tuple(resolve(modality.measure)(None)(path)) == (1, 5)


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (np.zeros((2, 3)), "has 2 channels and not 1"),
        (np.zeros(3), r"holds \(3,\)"),
        (np.full((1, 3), np.nan), "no finite number"),
        (np.array([["a"]]), "not numbers"),
    ],
)
def test_what_is_no_recording_is_named(
    modality: Any, samples: np.ndarray, told: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", samples)
    with pytest.raises(DataError, match=rf"a.npy` {told}|a.npy`.*{told}"):
        resolve(modality.reader)(FACTS)(tmp_path / "a.npy")


def test_mixup_mixes_inputs_and_targets_alike(modality: Any) -> None:
    mix = resolve(modality.mixes["mixup"])
    targets = torch.eye(2)
    inputs = targets[:, None]  # (B, 1, T): what is mixed of one is mixed of the other
    torch.manual_seed(0)
    mixed, shares = mix(inputs, targets, 0.4)
    torch.testing.assert_close(mixed[:, 0], shares)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert not torch.equal(shares, targets)
    torch.manual_seed(0)
    assert torch.equal(mix(inputs, targets, 0.4)[1], shares)


def test_a_small_picture_is_a_png(modality: Any) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs pillow")
    address = resolve(modality.thumbnail)(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), {})
    head, _, text = address.partition(",")
    assert head == "data:image/png;base64"
    picture = image.open(io.BytesIO(base64.b64decode(text)))
    assert picture.size == (200, 50)
    assert [picture.getpixel(place) for place in ((0, 49), (199, 0), (0, 25))] == [
        (0, 0, 0),
        (0, 0, 0),
        (255, 255, 255),
    ]


def test_files_are_predicted_and_looked_at(host: PluginHost, tmp_path: Path) -> None:
    small = {"name": "recording_net", "length": 32, "width": 16, "depth": 2, "heads": 2}
    facts = {"modality": "recording", **FACTS, "channels": 2, "length": 32}
    torch.manual_seed(0)
    model = adapt(small, "bitfit", labels=["a", "b"], preprocessing=facts, host=host)
    run, path = model.save_pretrained(tmp_path / "bundle"), tmp_path / "x.npy"
    np.save(path, np.stack([np.arange(32), np.zeros(32)]))

    def onlay(*words: object) -> str:
        done = CliRunner().invoke(main, [str(word) for word in words], obj=host)
        assert done.exit_code == 0, done.output
        return done.stdout

    (answer,) = json.loads(onlay("predict", run, path, "--json"))
    assert answer["class"] in ("a", "b")
    onlay("inspect", run, path, "--out", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page, re.DOTALL)
    assert found is not None
    (seen,) = json.loads(found[1])["inputs"]
    assert seen["curves"][0] == pytest.approx([n / 31 for n in range(32)], abs=1e-6)
    assert [len(block["values"]) for block in seen["signals"][0]["blocks"]] == [4, 4]


def page(name: str) -> str:
    return (DOCS / "how-to" / f"{name}.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_adapts_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(
        r"^```\{\.python\}\n(from pathlib .*?)^```", page("add-backbone"), re.MULTILINE | re.DOTALL
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(DOCS / "examples")
    made: dict[str, Any] = {}
    exec(code, made)
    assert made["model"](torch.randn(2, 2, 256)).shape == (2, 3)


@pytest.mark.parametrize(
    ("name", "described"),
    [
        ("add-backbone", Backbone),
        ("add-backbone", BuiltBackbone),
        ("add-modality", Modality),
        ("add-modality", Observation),
    ],
)
def test_every_field_has_a_row(name: str, described: Any) -> None:
    cells = re.findall(r"^\| (.*?) \|", page(name), re.MULTILINE)
    assert {field.name for field in fields(described)} <= set(
        re.findall(r"`(\w+)`", " ".join(cells))
    )


def test_kinds_without_a_contract_are_named() -> None:
    """`register_modalities` is the hook of the kind `modality`."""
    asked = [name.removeprefix("register_") for name in vars(hooks) if name.startswith("register_")]
    kinds = {re.sub("ie$", "y", name.removesuffix("s")) for name in asked}
    assert kinds - set(SUITES) == {"modality", "exporter", "tracker", "command"}
    assert "Modalities, exporters, trackers and commands have none." in page("add-modality")


@pytest.mark.parametrize("name", ["add-backbone", "add-modality"])
def test_lines_of_python_on_the_pages_are_lines_of_the_files(name: str) -> None:
    """What a page repeats of a file to explain it stands in that file."""
    paths = [DOCS / "examples" / f"{file}.py" for file in PLUGINS + HELPERS]
    lines = {line.strip() for path in paths for line in path.read_text("utf-8").splitlines()}
    for block in re.findall(r"^```python\n(.*?)^```", page(name), re.MULTILINE | re.DOTALL):
        assert {line.strip() for line in block.splitlines() if line.strip()} <= lines
