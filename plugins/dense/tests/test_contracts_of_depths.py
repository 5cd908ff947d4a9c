"""Data sets of depths keep the contract of data sets."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import dataset_checks

Check = Callable[[], None]


@dataset_checks("depth_folder")
def test_depth_folder(check: Check) -> None:
    check()


@dataset_checks("nyu")
def test_nyu(check: Check) -> None:
    check()


@dataset_checks("kitti")
def test_kitti(check: Check) -> None:
    check()


@dataset_checks("rooms")
def test_rooms(check: Check) -> None:
    check()
