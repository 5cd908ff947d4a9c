"""The task in the documentation: the very file that its page quotes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from onlay import PluginHost, adapt
from onlay.cli import main
from onlay.testing import run_checks

pytest.importorskip("onlay_image", reason="needs onlay-image")
pytest.importorskip("torchmetrics", reason="comes with onlay-train")
from PIL import Image

FILE = Path(__file__).parents[3] / "docs" / "examples" / "class_map.py"


@pytest.fixture(scope="module")
def host() -> Iterator[PluginHost]:
    before = [*sys.path]
    yield PluginHost.discover(files=[FILE])
    sys.path[:] = before
    sys.modules.pop("class_map", None)


def test_it_keeps_the_contract_of_a_task(host: PluginHost) -> None:
    assert not [o for o in run_checks("task", "class_map", host=host) if not o.good]


def test_its_answers_are_printed_written_and_drawn(host: PluginHost, tmp_path: Path) -> None:
    facts = {"modality": "image", "img_size": [64, 64], "resize": "squash", "crop_pct": 1.0}
    facts |= {"interpolation": "bilinear", "mean": [0.5] * 3, "std": [0.5] * 3, "in_chans": 3}
    torch.manual_seed(0)
    model = adapt(
        "onlay_vit_64",
        "linear",
        task="class_map",
        labels=["a", "b"],
        preprocessing=facts,
        host=host,
    )
    run = model.save_pretrained(tmp_path / "bundle")
    Image.new("RGB", (64, 64), "red").save(tmp_path / "x.png")

    def onlay(*words: object) -> str:
        done = CliRunner().invoke(main, [str(word) for word in words], obj=host)
        assert done.exit_code == 0, done.output
        return done.stdout

    out = tmp_path / "made"
    (answer,) = json.loads(onlay("predict", run, tmp_path / "x.png", "--json", "--out", out))
    evidence = torch.tensor(answer["evidence"])
    assert (evidence.shape, evidence.min(), evidence.max()) == ((8, 8), 0, 1)
    assert sorted(path.name for path in out.iterdir()) == ["x-seen.png", "x.txt"]
    assert (out / "x.txt").read_text() == answer["class"] + "\n"
    grey = torch.from_numpy(np.array(Image.open(out / "x-seen.png")))
    assert torch.equal(grey, (evidence * 255).byte())
    page = tmp_path / "page.html"
    onlay("inspect", run, tmp_path / "x.png", "--out", page)
    assert '"title":"where it is seen","size":[8,8]' in page.read_text()
