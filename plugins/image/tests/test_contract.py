"""What this plugin registers keeps its contracts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from onlay.data import Splits
from onlay.testing import backbone_checks, dataset_checks, run_checks
from onlay_image.data import folder

Check = Callable[[], None]


@backbone_checks("timm")
def test_timm(check: Check) -> None:
    check()


@backbone_checks("onlay_vit_64")
def test_onlay_vit_64(check: Check) -> None:
    check()


@dataset_checks("image_folder")
def test_image_folder(check: Check) -> None:
    check()


@dataset_checks("image_csv")
def test_image_csv(check: Check) -> None:
    check()


@dataset_checks("vtab")
def test_vtab(check: Check) -> None:
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
