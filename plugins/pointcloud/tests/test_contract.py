"""What this plugin registers keeps its contracts; `integration_tests` ask the large ReCon."""

from __future__ import annotations

from collections.abc import Callable

from onlay.testing import backbone_checks, dataset_checks, task_checks

Check = Callable[[], None]


@backbone_checks("onlay_points")
def test_onlay_points(check: Check) -> None:
    check()


@backbone_checks("small_pointnet")
def test_small_pointnet(check: Check) -> None:
    check()


@task_checks("part_segmentation")
def test_part_segmentation(check: Check) -> None:
    check()


@dataset_checks("cloud_folder")
def test_cloud_folder(check: Check) -> None:
    check()


@dataset_checks("cloud_csv")
def test_cloud_csv(check: Check) -> None:
    check()


@dataset_checks("shapes")
def test_shapes(check: Check) -> None:
    check()


@dataset_checks("scanobjectnn")
def test_scanobjectnn(check: Check) -> None:
    check()


@dataset_checks("modelnet40")
def test_modelnet40(check: Check) -> None:
    check()


@dataset_checks("modelnet_fewshot")
def test_modelnet_fewshot(check: Check) -> None:
    check()


@dataset_checks("shapenet_part")
def test_shapenet_part(check: Check) -> None:
    check()


@task_checks("point_segmentation")
def test_point_segmentation(check: Check) -> None:
    check()


@dataset_checks("labelled_clouds")
def test_labelled_clouds(check: Check) -> None:
    check()


@dataset_checks("cloud_scenes")
def test_cloud_scenes(check: Check) -> None:
    check()
