"""What others wrote from the documentation alone, each a small package: tokens that come and leave,
a network beside the backbone, hard gates, keys that no token makes, SAM, a tracker.

Each is checked by the kit, trained, killed, resumed to the same bits, saved and loaded elsewhere.
Their formulas are tested beside them, in `*_plugin/tests`.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from tokenize import generate_tokens

import pytest
import torch

import onlay as library
from onlay.machine.system import CAN_FORK, forked

LIVES = {
    "deep_prompts": ("method=deep_prompts", "method.prompts=4"),
    "ladder": ("method=my_ladder",),
    "dispatch": ("method=dispatch",),
    "prefix": ("method=my_prefix",),
    "sam": ("method=bitfit", "train.opt=sam", "train.opt_kwargs.rho=0.1"),
    "sqlite": ("method=bitfit", "train.trackers=[sqlite]"),
}
"""Plugins -> the words of a run that uses them."""
SHORT = ("train.epochs=4", "train.batch_size=12", "train.lr=1e-2", "train.log_every=1")
SHORT += ("train.checkpoint_every=2", "data.name=image_folder", "data.val_size=0")
KILL = """
import os, signal
import onlay

@onlay.hookimpl
def step_finished(step):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
"""
pytestmark = pytest.mark.skipif(
    not find_spec("onlay_example_ladder"), reason="others' methods are in the set third-party"
)
own = {name: pytest.mark.xdist_group(f"opened-{name}") for name in LIVES}
"""One process has all tests of a plugin, and so makes its runs once."""
each = pytest.mark.parametrize("name", [pytest.param(n, marks=mark) for n, mark in own.items()])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Stripes that lie, stand or lean, twelve of each to train on and four to test on."""
    import numpy as np
    from PIL import Image

    folder, chance = tmp_path_factory.mktemp("stripes"), np.random.default_rng(0)
    down, right = np.mgrid[:64, :64]
    for label, across in (("lies", down), ("stands", right), ("leans", down + right)):
        for part, count in (("train", 12), ("test", 4)):
            (folder / part / label).mkdir(parents=True)
            for n in range(count):
                wave = np.sin(across / 2 + chance.uniform(0, 6)) + chance.normal(0, 0.3, (64, 64))
                grey = np.clip(128 + 60 * wave, 0, 255).astype(np.uint8)
                Image.fromarray(grey).convert("RGB").save(folder / part / label / f"{n}.png")
    return folder


@pytest.fixture(scope="module")
def train(pictures, onlay):
    """`train(name, out)` as a user does it."""

    def run(name: str, out: Path, *first: str) -> str:
        words = ("train", "backbone=onlay_vit_64", *LIVES[name], *SHORT)
        done = onlay(*first, *words, f"data.path={pictures}", f"out={out}")
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture(scope="module")
def runs(train, tmp_path_factory):
    """`runs(name)`: a run that nobody disturbed, made once."""
    folder, made = tmp_path_factory.mktemp("opened"), {}

    def run(name: str) -> Path:
        if name not in made:
            made[name] = folder / name
            train(name, made[name])
        return made[name]

    return run


@pytest.fixture(scope="module")
def resumed(train, tmp_path_factory):
    """`resumed(name)`: a run that was killed and went on, made once."""
    folder, made = tmp_path_factory.mktemp("resumed"), {}
    plugin = folder / "kills.py"
    plugin.write_text(KILL, encoding="utf-8")

    def run(name: str) -> Path:
        if not CAN_FORK:
            pytest.skip("processes are forked, on Linux only")
        if name not in made:
            made[name] = folder / name
            again = partial(train, name, made[name])
            assert killed(partial(again, "--plugin", str(plugin))) == signal.SIGKILL
            assert "resumed in epoch" in again()
        return made[name]

    return run


def killed(work: Callable[[], object]) -> int:
    """The signal that ended a process of its own, which has all imports behind it."""
    return os.WTERMSIG(os.waitpid(forked(work), 0)[1])


@each
def test_it_takes_at_most_sixty_lines(name):
    """Of code, beside what names, configures and registers it."""
    (point,) = entry_points(group="onlay", name=name)
    files = Path(find_spec(point.module).origin).parent.glob("*.py")
    own = [f for f in files if f.stem not in ("__init__", "config", "plugin")]
    assert 0 < sum(map(lines_of_code, own)) <= 60


def lines_of_code(file: Path) -> int:
    """Without empty lines, comments and docstrings."""
    with file.open(encoding="utf-8") as text:
        tokens = [t for t in generate_tokens(text.readline) if t.string.strip()]
    return len({t.start[0] for t in tokens if not t.string.startswith(('"""', "#"))})


@each
@pytest.mark.skipif("ONLAY_WHEELS" in os.environ, reason="its sources keep the contract already")
def test_it_is_clean_in_the_kit(name, onlay):
    if name == "sqlite":
        pytest.skip("the kit has no contract of trackers")
    checked = onlay("plugins", "check", name)
    assert checked.exit_code == 0, checked.output


@each
def test_it_learns(name, runs):
    summary = json.loads((runs(name) / "summary.json").read_text())
    assert summary["metrics"]["test_top1"] > 0.7, "a third of the pictures at random"


@each
def test_a_killed_run_goes_on_to_the_same_bits(name, runs, resumed):
    plain, again = (
        library.load(folder / "bundle").trained_state() for folder in (runs(name), resumed(name))
    )
    assert plain.keys() == again.keys()
    assert all(torch.equal(plain[key], again[key]) for key in plain)


@own["sqlite"]
def test_the_tracker_has_every_step_of_a_killed_run_once(resumed):
    base = sqlite3.connect(resumed("sqlite") / "metrics.sqlite")
    steps = base.execute("select step from metrics where name = 'train/loss' order by step")
    assert [step for (step,) in steps] == [*range(1, 13)]


@each
def test_another_process_loads_it(name, runs, elsewhere):
    bundle = runs(name) / "bundle"
    model = library.load(bundle)
    inputs = model.anatomy.example(3)
    torch.save(inputs, bundle.with_name("inputs.pt"))
    with torch.no_grad():
        torch.testing.assert_close(elsewhere(bundle), [model(inputs)], rtol=0, atol=1e-6)
