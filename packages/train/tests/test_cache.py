"""What never changes is computed once and kept: the same weights, whatever happens on the way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from onlay.errors import AnatomyError, ConfigError, OnlayError, RunError
from onlay_train.cache import filling, setup, store
from onlay_train.cache import items as items_
from onlay_train.loop import Trainer
from onlay_train.run import train

STILL = "data.augment=false"
LATE = "method.last_blocks=1"


@pytest.fixture
def trained(configure, host, quiet, tmp_path) -> Any:
    """`trained("a", "train.cache=prefix")`: the tensors of a run into the folder `a`."""

    def run(out: str, *words: str) -> dict[str, torch.Tensor]:
        kept = (f"train.cache_dir={tmp_path / 'store'}",)
        train(configure(*words, *kept, out=out), host, console=quiet)
        return load_file(tmp_path / out / "bundle" / "adapter_model.safetensors")

    return run


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def records(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    found = map(json.loads, lines)
    return [{k: v for k, v in each.items() if not k.endswith("seconds")} for each in found]


def test_the_same_weights_and_metrics_bit_for_bit(trained, tmp_path):
    expected = trained("plain", LATE, STILL)
    assert same(trained("kept", LATE, STILL, "train.cache=prefix"), expected)
    assert records(tmp_path / "kept") == records(tmp_path / "plain")
    # 30 samples of 5 tokens of 16 floats, and a class
    rows = [f.stat().st_size for f in (tmp_path / "store").glob("*/blocks.0.bin")]
    assert sorted(rows) == [10 * 320, 10 * 320, 30 * 320]


def test_a_kill_in_the_middle_changes_nothing(trained, monkeypatch):
    expected = trained("plain", LATE, STILL)
    words, answer, steps = (LATE, STILL, "train.cache=prefix"), Trainer.answer_stop, []

    def killed(self: Trainer) -> None:
        steps.append(1)
        if len(steps) == 14:
            raise KeyboardInterrupt
        answer(self)

    monkeypatch.setattr(Trainer, "answer_stop", killed)
    with pytest.raises(KeyboardInterrupt):
        trained("killed", *words, "train.checkpoint_every=3")
    assert same(trained("killed", *words, "train.checkpoint_every=3"), expected)


def test_one_writes_and_the_other_waits(tmp_path):
    def part() -> Any:
        kept = store.Store(tmp_path / "a", [store.Column("x", (2,), "bfloat16")], 3)
        return SimpleNamespace(store=kept, name="train")

    first, second, said = part(), part(), []
    lock = first.store.lock()
    assert store.taken(lock)
    given = (second, [second], None, None, None, None, said.append)
    waiting = Thread(target=setup._fill, args=given)
    waiting.start()
    while not said and waiting.is_alive():
        time.sleep(0.01)
    rows = torch.arange(6.0).view(3, 2).bfloat16()
    first.store.write([(0, {"x": rows[:2]}), (2, {"x": rows[2:]})], "of")
    lock.release()
    waiting.join(20)
    assert not waiting.is_alive()
    assert said == ["cache: waits for the train part, which another start is writing"]
    assert torch.equal(second.store[2]["x"], rows[2])


def test_a_linear_probe_keeps_what_its_head_reads(trained, tmp_path, monkeypatch):
    expected = trained("plain", "method=linear", STILL)
    words = ("method=linear", STILL, "train.cache=prefix")
    assert same(trained("kept", *words), expected)
    (folder,) = [
        f.parent for f in (tmp_path / "store").glob("*/pooled.bin") if f.stat().st_size == 1920
    ]
    assert {f.name for f in folder.iterdir()} == {"pooled.bin", "target.0.bin", "kept.json"}
    monkeypatch.setattr(filling.Filler, "batches", None)  # another run computes nothing
    trained("again", *words, "train.lr=1e-3")


def test_views_come_in_turn(trained):
    expected = trained("plain", LATE)
    assert same(trained("three", LATE, "train.cache=prefix", "train.cache_views=3"), expected)
    two = trained("two", LATE, "train.cache=prefix", "train.cache_views=2")
    assert not same(two, expected)


def test_the_training_part_is_judged_by_a_view_of_its_own(trained, tmp_path):
    """As without a cache: by the draw of the epoch behind the last, which nobody was trained on."""
    words = (LATE, "train.evaluate_train=true")
    trained("plain", *words)
    trained("kept", *words, "train.cache=prefix", "train.cache_views=3")
    plain, kept = (
        json.loads((tmp_path / name / "summary.json").read_text())["metrics"]
        for name in ("plain", "kept")
    )
    assert plain["train_loss"] == kept["train_loss"]
    assert plain == kept


def test_a_sampler_that_takes_a_sample_twice_is_told(configure):
    found = SimpleNamespace(worst=0.0)
    config = configure("train.cache=prefix", "train.cache_views=3", "train.sampler=balanced").train
    assert setup.exactness(found, config, True).startswith("each training sample is seen in 3 view")
    assert setup.exactness(found, config, False).endswith("weights are those of a run without it")


def test_what_is_kept_is_of_a_block_and_of_the_levels_that_a_head_reads(configure):
    def key(first: int, *levels: int) -> Any:
        head = SimpleNamespace(levels=list(levels))
        trunk = SimpleNamespace(trunk=lambda: {"weight": torch.ones(1)})
        model = SimpleNamespace(anatomy=trunk, packages={}, head=head)
        splits = SimpleNamespace(digest="", preprocessing={})
        machine = SimpleNamespace(device=torch.device("cpu"), mixed_precision="no")
        return setup.facts(model, splits, configure(), machine, SimpleNamespace(first=first))

    assert key(2, 0) == key(2, 0)
    assert key(2, 0) != key(2, 1)
    assert key(2, 0) != key(1, 0)


def test_numbers_that_half_precision_cannot_hold_are_refused():
    filler = filling.Filler(None, None, None, torch.float16, torch.device("cpu"))
    assert filler.rounded({"a": torch.tensor([65504.0, -torch.inf])})["a"].dtype == torch.float16
    with pytest.raises(ConfigError, match=r"up to 65,504, .* take `bf16` or `float32`"):
        filler.rounded({"a": torch.tensor([1.0, -7e4])})


def test_rounded_ones_take_half_the_disk_and_come_near(trained, tmp_path):
    expected = trained("plain", LATE, STILL)
    found = trained("kept", LATE, STILL, "train.cache=prefix", "train.cache_dtype=bf16")
    assert {f.stat().st_size for f in (tmp_path / "store").glob("*/blocks.0.bin")} == {4800, 1600}
    worst = max((found[n] - expected[n]).abs().max().item() for n in found)
    assert 0 < worst < 0.05


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((LATE,), "changes its items by chance .* set `train.cache_views`"),
        ((STILL,), r"acts at `blocks\.0\.mlp\.in`, so nothing comes before it .* 2 blocks"),
        ((LATE, STILL, "train.compile=true"), "`train.compile` compiles the whole pass, which"),
    ],
)
def test_refused_in_one_sentence(trained, words, sentence):
    with pytest.raises(OnlayError, match=sentence) as told:
        trained("no", *words, "train.cache=prefix")
    assert isinstance(told.value, ConfigError | AnatomyError)


def test_a_full_disk_is_told_before(trained, monkeypatch, tmp_path):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(RunError, match=r"has 1\.0 KiB free, and what `train.cache` keeps takes 16"):
        trained("no", LATE, STILL, "train.cache=prefix")
    assert not list((tmp_path / "store").glob("*/*"))


def test_a_killed_writer_leaves_nothing_half(trained, tmp_path, monkeypatch):
    expected = trained("plain", LATE, STILL)
    put, calls = store._put, []

    def killed(*given: Any) -> None:
        calls.append(given)
        if len(calls) == 5:
            raise KeyboardInterrupt
        put(*given)

    monkeypatch.setattr(store, "_put", killed)
    with pytest.raises(KeyboardInterrupt):
        trained("kept", LATE, STILL, "train.cache=prefix")
    assert [f.suffix for f in (tmp_path / "store").iterdir() if f.is_dir()] == [".part"]
    monkeypatch.setattr(store, "_put", put)
    assert same(trained("kept", LATE, STILL, "train.cache=prefix"), expected)


def test_what_was_kept_of_other_content_is_not_taken():
    """Neither path nor size nor label need tell that a file was written anew."""

    def told(last: float, target: int) -> str:
        part = [(torch.tensor([1.0, 2.0]), 0), (torch.tensor([3.0, last]), target)]
        items = filling.Watched(part, 0, fills=False, chance=False)
        return filling.content(items, items_.Targets(0), workers=0)

    assert told(4.0, 1) == told(4.0, 1)
    assert len({told(4.0, 1), told(4.5, 1), told(4.0, 0)}) == 3


def test_what_was_cut_off_is_written_anew(tmp_path):
    kept = store.Store(tmp_path / "a", [store.Column("x", (2,), "float32")], 3)
    kept.write([(0, {"x": torch.ones(3, 2)})], None)
    assert kept.whole
    os.truncate(tmp_path / "a" / "x.bin", 23)
    assert not kept.whole


def test_numbers_that_changed_on_the_disk_are_written_anew(tmp_path):
    kept = store.Store(tmp_path / "a", [store.Column("x", (2,), "float32")], 3)
    kept.write([(0, {"x": torch.arange(6.0).view(3, 2)})], None)
    kept.check()
    assert kept.whole
    content = (tmp_path / "a" / "x.bin").read_bytes()
    (tmp_path / "a" / "x.bin").write_bytes(content[::-1])
    kept.check()
    assert not kept.whole
