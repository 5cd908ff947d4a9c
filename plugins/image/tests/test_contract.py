"""What this plugin registers keeps its contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from onlay.data import Splits
from onlay.testing import backbone_checks, dataset_checks, run_checks
from onlay_image.data import csv_file, folder, samples
from onlay_image.data.samples import draw

Check = Callable[[], None]


@backbone_checks("timm")
def test_timm(check: Check) -> None:
    check()


@backbone_checks("onlay_vit_64")
def test_onlay_vit_64(check: Check) -> None:
    check()


@backbone_checks("small_cnn")
def test_small_cnn(check: Check) -> None:
    check()


@dataset_checks("image_folder")
def test_image_folder(check: Check) -> None:
    check()


@dataset_checks("image_csv")
def test_image_csv(check: Check) -> None:
    check()


@dataset_checks("shards")
def test_shards(check: Check) -> None:
    check()


@dataset_checks("parquet")
def test_parquet(check: Check) -> None:
    pytest.importorskip("pyarrow")
    check()


@dataset_checks("vtab")
def test_vtab(check: Check) -> None:
    check()


@dataset_checks("few_shot")
def test_few_shot(check: Check) -> None:
    check()


@dataset_checks("fgvc")
def test_fgvc(check: Check) -> None:
    check()


@dataset_checks("digits")
def test_digits(check: Check) -> None:
    check()


def test_a_data_set_that_is_prepared_otherwise_than_by_its_reader_is_caught(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    build = folder.build

    def lying(*given: Any) -> Splits:
        splits = build(*given)
        return replace(splits, preprocessing={**splits.preprocessing, "resize": "squash"})

    monkeypatch.setattr(folder, "build", lying)
    broken = [o.check.name for o in run_checks("dataset", "image_folder") if not o.good]
    assert broken == ["check_reader_prepares_files_alike"]


TABLES: dict[str, dict[str, Any]] = {
    "labels": {"targets": "labels"},
    "ticks": {"targets": "labels", "target_columns": ["odd", "large"]},
    "numbers": {"targets": "numbers", "target_columns": ["size", "age"]},
}


def table(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Pictures of noise with several labels, and two numbers."""
    lines = ["path,label,odd,large,size,age"]
    for number in range(24):
        draw(folder / f"{number}.png", number)
        odd, large = number % 2, int(number > 11)
        tags = "|".join(name for name, has in (("odd", odd), ("large", large)) if has)
        lines.append(f"{number}.png,{tags},{odd},{large},{number},{-number / 2}")
    (folder / "t.csv").write_text("\n".join(lines), encoding="utf-8")
    return {"path": folder / "t.csv", "val_size": 0.25, "test_size": 0.25, **settings}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_labels_and_numbers_keep_the_contract_of_a_data_set(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(samples, "image_csv", lambda folder: table(folder, TABLES[kind]))
    broken = [(o.check.name, o.reason) for o in run_checks("dataset", "image_csv") if not o.good]
    assert not broken


def test_targets_that_are_no_labels_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "image_csv", lambda folder: table(folder, TABLES["ticks"]))
    build = csv_file.build

    def lying(*given: Any) -> Splits:
        splits: Any = build(*given)
        splits.train.targets = splits.train.targets * 2
        return splits

    monkeypatch.setattr(csv_file, "build", lying)
    broken = {o.check.name: o.reason for o in run_checks("dataset", "image_csv") if not o.good}
    assert "a target of `train` is 2, of 2" in broken["check_targets_are_labels"]
    assert "`train` has" in broken["check_counts_are_those_of_the_items"]
