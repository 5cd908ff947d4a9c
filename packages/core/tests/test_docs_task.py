"""The tasks in the documentation: the very files that their page quotes."""

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

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
NAMES = ("class_map", "centred")


@pytest.fixture(scope="module")
def host() -> Iterator[PluginHost]:
    before = [*sys.path]
    yield PluginHost.discover(files=[EXAMPLES / f"{name}.py" for name in NAMES])
    sys.path[:] = before
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize("name", NAMES)
def test_it_keeps_the_contract_of_a_task(host: PluginHost, name: str) -> None:
    assert not [o for o in run_checks("task", name, host=host) if not o.good]


def test_features_are_drawn_to_the_centre_of_their_class(host: PluginHost) -> None:
    """Centres start at zero, so that the pull is the squared length of the mean token."""
    task = {"name": "centred", "pull": 0.5}
    model = adapt("onlay_vit_64", "linear", task=task, num_classes=2, host=host)
    inputs, targets = model.anatomy.example(3), torch.tensor([0, 1, 1])
    with torch.no_grad():
        means_BD = model.eval().features(inputs).patches.mean(1)
        plain = torch.nn.functional.cross_entropy(model(inputs), targets)
    loss = model.loss((inputs, targets))
    torch.testing.assert_close(loss, plain + 0.5 * means_BD.square().sum(1).mean())
    loss.backward()
    pulled_CD = model.head.centres_CD.grad
    torch.testing.assert_close(pulled_CD[0], -means_BD[0] / 3)


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
