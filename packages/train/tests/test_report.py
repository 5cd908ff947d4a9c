"""Displays, tables, pictures, comparisons."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from onlay_train.compare import Comparison
from onlay_train.display import Bar, Display, Lines, make_display
from onlay_train.memory import peak_bytes, reset_peak
from onlay_train.plot import plot_comparison, plot_run
from onlay_train.report import print_report
from onlay_train.summary import Summary

SUMMARY = Summary(
    folder="runs/a",
    method="arc",
    backbone="tiny",
    main_metric="top1",
    metrics={"test_top1": 0.9, "test_loss": 0.25, "validation_top1": 0.95},
    selection="last",
    chosen_epoch=3,
    epochs=3,
    seed=0,
    parameters={"method": 100, "head": 20, "other": 5, "backbone": 10_000},
    seconds=12.5,
    peak_bytes=3 * 2**20,
    device="cpu",
    bundle_bytes=2048,
)
RECORD = {
    "epoch": 2,
    "step": 10,
    "lr": 0.01,
    "train_loss": 0.5,
    "validation_loss": 0.4,
    "validation_top1": 0.875,
    "seconds": 3.21,
}


def printed(summary: Summary) -> str:
    text = StringIO()
    print_report(summary, Console(file=text, width=120))
    return text.getvalue()


def test_the_table_has_every_figure() -> None:
    text = printed(SUMMARY)
    for figure in ("90.00 %", "0.2500", "95.00 %", "125 = method 100 + head 20 + other 5"):
        assert figure in text
    for figure in ("1.25 % of 10,000", "3 of 3 (last)", "12.5 s on cpu", "3 MiB", "2 KiB"):
        assert figure in text
    assert "optimistic" not in text


def test_parts_of_a_head_are_told_apart_and_count_as_head() -> None:
    counts = {"method": 100, "head": 5, "neck": 7, "decoder": 8, "other": 5, "backbone": 10_000}
    summary = replace(SUMMARY, parameters=counts, chosen={"decoder": "dpt"})
    assert "task.decoder" in printed(summary)
    lines = [re.findall(r"[\w.]+", line) for line in printed(summary).splitlines()]
    told = {"method": "100", "head": "5", "neck": "7", "decoder": "8", "other": "5"}
    assert [line for line in lines if line and line[0] in told] == [list(x) for x in told.items()]
    assert ["trained", "parameters", "125"] in lines
    assert (summary.trained, summary.head, summary.share) == (125, 20, 1.25)


def test_a_choice_on_the_test_part_is_loud() -> None:
    text = printed(replace(SUMMARY, selection="best_test_as_published"))
    assert "Note: the epoch was chosen on the test part" in text


def test_the_display_fits_the_console() -> None:
    facts = {"epochs": 3, "steps_per_epoch": 5, "metric": "top1"}
    terminal = Console(file=StringIO(), force_terminal=True)
    assert type(make_display(terminal, **facts)) is Bar
    assert type(make_display(Console(file=StringIO()), **facts)) is Lines
    assert type(make_display(terminal, **facts, main=False)) is Display


def test_lines_have_loss_and_metric() -> None:
    text = StringIO()
    Lines(Console(file=text, width=200), 12, "top1").epoch(RECORD)
    assert text.getvalue() == (
        "epoch  2/12  loss 0.5000  validation loss 0.4000  top1 87.50 %  lr 1.00e-02  3.2 s\n"
    )


def test_the_bar_shows_epoch_steps_loss_and_metric() -> None:
    text = StringIO()
    console = Console(file=text, force_terminal=True, width=110)
    with Bar(console, 3, 5, "top1") as bar:
        bar.start(1, 5)
        bar.step()
        bar.loss(0.77)
        bar.progress.refresh()
        bar.epoch(RECORD)
        bar.progress.refresh()
    shown = text.getvalue()
    for part in ("epoch 2/3", "6/15", "loss 0.770", "loss 0.500", "top1 87.50 %"):
        assert part in shown


def test_pictures_are_drawn(tmp_path: Path) -> None:
    from matplotlib.image import imread

    history = [RECORD | {"epoch": epoch} for epoch in (1, 2, 3)]
    odd = r"a$\frac{$ [/b]"  # neither a formula nor markup
    plot_run(history, tmp_path / "a.png", "top1", title=f"arc on {odd}")
    plot_comparison({odd: history, "full": []}, {odd: 0.9}, tmp_path / "b.png", "top1", title=odd)
    for name in ("a.png", "b.png"):
        pixels = imread(tmp_path / name)
        assert pixels.shape[:2] == (540, 1350)
        assert pixels[..., :3].std() > 0.05  # not an empty page


def test_mean_and_sample_deviation_over_seeds() -> None:
    runs = [replace(SUMMARY, metrics={"test_top1": score}) for score in (0.5, 0.7, 0.9)]
    found = Comparison({"arc": runs, "once": runs[:1], "a[/b]": runs[:1]})
    assert found.mean("arc") == pytest.approx(0.7)
    assert found.deviation("arc") == pytest.approx(0.2)
    assert found.deviation("once") == 0
    text = StringIO()
    Console(file=text, width=140).print(found.table())
    assert "70.0 ± 20.0 %" in text.getvalue()
    assert "a[/b]" in text.getvalue()
    assert " 50.0 %" in text.getvalue()


def test_peak_memory_sees_an_allocation() -> None:
    import torch

    reset_peak(torch.device("cpu"))
    before = peak_bytes(torch.device("cpu"))
    block = torch.ones(64 * 2**20)
    assert peak_bytes(torch.device("cpu")) - before > 200 * 2**20  # 256 MiB
    del block
