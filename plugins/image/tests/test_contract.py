"""What this plugin registers keeps its contracts."""

from __future__ import annotations

from collections.abc import Callable

from inlay.testing import backbone_checks, dataset_checks

Check = Callable[[], None]


@backbone_checks("timm")
def test_timm(check: Check) -> None:
    check()


@backbone_checks("inlay_vit_64")
def test_inlay_vit_64(check: Check) -> None:
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
