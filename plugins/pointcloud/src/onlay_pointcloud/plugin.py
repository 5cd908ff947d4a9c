"""What this distribution brings. Registering imports neither torch nor a reader of files."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Backbone, Dataset, Exporter, Modality, Protocol, Task
from onlay.hooks import hookimpl

_FEW = {"npoints": 64, "groups": 8, "group_size": 8}

_OF_FILES = ("cloud_folder", "cloud_csv")
"""Layouts without published parts, all of which can be judged."""
_TARGETS = {
    "cloud_csv": frozenset({"class", "labels", "numbers"}),
    "shapenet_part": frozenset({"parts"}),
}


@hookimpl
def register_modalities() -> Iterable[Modality]:
    """Point clouds."""
    from onlay_pointcloud.data.suffixes import SUFFIXES

    yield Modality(
        name="points",
        reader="onlay_pointcloud.data.preprocess:reader",
        preprocessing="onlay_pointcloud.data.facts:CloudFacts",
        suffixes=SUFFIXES,
        summary="point clouds, and meshes that points are sampled on, (B, N, 3)",
        mixes={"cutmix": "onlay_pointcloud.data.mixing:cutmix"},
        thumbnail="onlay_pointcloud.thumbnail:thumbnail",
        measure="onlay_pointcloud.data.measuring:measure",
        viewer="onlay_pointcloud.viewer:view",
    )


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """Point-MAE's layout with the weights of several authors, and one that needs no download."""
    for name, config, module, summary in (
        ("onlay_points", "BundledConfig", "bundled", "a small one, pretrained, inside this wheel"),
        ("point_mae", "PointMaeConfig", "build", "Point-MAE (ECCV 2022), 22 M parameters"),
        ("act", "ActConfig", "build", "ACT (ICLR 2023), Point-MAE's layout"),
        ("point_bert", "PointBertConfig", "build", "Point-BERT (CVPR 2022)"),
        ("recon", "ReConConfig", "build", "ReCon (ICML 2023) as published, 43 M parameters"),
        ("recon_as_mae", "ReConAsMaeConfig", "build", "ReCon's weights, Point-MAE's forward pass"),
    ):
        yield Backbone(
            name=name,
            config=f"onlay_pointcloud.backbones.config:{config}",
            build=f"onlay_pointcloud.backbones.{module}:build",
            modality="points",
            summary=summary,
            provides="onlay_pointcloud.backbones.traits:provides",
            adopt="onlay_pointcloud.backbones.build:adopt",
            examples=({**_FEW, **({} if name == "onlay_points" else {"pretrained": False})},),
        )
    yield Backbone(
        name="small_pointnet",
        config="onlay_pointcloud.backbones.config:SmallPointNetConfig",
        build="onlay_pointcloud.backbones.small:build",
        modality="points",
        summary="a PointNet without pretraining, a control to train from scratch",
        provides="onlay_pointcloud.backbones.traits:provides",
        examples=({"npoints": 64},),
        scratch=True,
    )


@hookimpl
def register_tasks() -> Iterable[Task]:
    """Beside classification, which is core's."""
    yield Task(
        name="part_segmentation",
        config="onlay_pointcloud.tasks.config:PartSegmentationConfig",
        build="onlay_pointcloud.tasks.segmentation:build",
        summary="a part for each point of a cloud, with Point-MAE's decoder",
        targets="parts",
        needs=frozenset({"points", "sequence"}),
        examples=({"categories": 2}, {"categories": 0}),
        example="onlay_pointcloud.tasks.example:example",
    )
    yield Task(
        name="point_segmentation",
        config="onlay_pointcloud.tasks.config:PointSegmentationConfig",
        build="onlay_pointcloud.tasks.point_segmentation:build",
        summary="a class for each point of a cloud or a scene, with Point-MAE's decoder",
        targets="point_classes",
        needs=frozenset({"points", "sequence"}),
        examples=({}, {"loss": "focal", "class_weights": "balanced"}, {"loss": "ce_dice"}),
        example="onlay_pointcloud.tasks.example:classes_example",
    )


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    """Layouts of labelled clouds."""
    for name, config, summary in (
        ("cloud_folder", "CloudFolderConfig", "a folder of class folders, in twenty formats"),
        ("cloud_csv", "CloudCsvConfig", "a CSV file of paths and labels, or numbers"),
        ("shapes", "ShapesConfig", "generated everyday objects, without download"),
        ("scanobjectnn", "ScanObjectNNConfig", "scanned objects of 15 classes, three variants"),
        ("modelnet40", "ModelNet40Config", "shapes of 40 classes"),
        ("modelnet_fewshot", "ModelNetFewshotConfig", "the few-shot episodes of ModelNet40"),
        ("shapenet_part", "ShapeNetPartConfig", "50 parts of shapes of 16 categories"),
    ):
        yield Dataset(
            name=name,
            config=f"onlay_pointcloud.data.config:{config}",
            build=f"onlay_pointcloud.data.{name}:build",
            modality="points",
            summary=summary,
            whole=f"onlay_pointcloud.data.{name}:whole" if name in _OF_FILES else None,
            layout=f"onlay_pointcloud.data.{name}:layout" if name in _OF_FILES else None,
            targets=_TARGETS.get(name, frozenset({"class"})),
            example=f"onlay_pointcloud.data.samples:{name}",
        )
    yield Dataset(
        name="labelled_clouds",
        config="onlay_pointcloud.data.labelled_config:LabelledCloudsConfig",
        build="onlay_pointcloud.data.labelled_clouds:build",
        modality="points",
        summary="a folder of clouds with a class for each point",
        whole="onlay_pointcloud.data.labelled_clouds:whole",
        layout="onlay_pointcloud.data.labelled_clouds:layout",
        measure="onlay_pointcloud.data.labelled_clouds:measure",
        targets=frozenset({"point_classes"}),
        example="onlay_pointcloud.data.samples:labelled_clouds",
    )
    yield Dataset(
        name="cloud_scenes",
        config="onlay_pointcloud.data.labelled_config:CloudScenesConfig",
        build="onlay_pointcloud.data.scenes.cloud_scenes:build",
        modality="points",
        summary="large scenes with a class for each point, in blocks; S3DIS",
        whole="onlay_pointcloud.data.scenes.cloud_scenes:whole",
        layout="onlay_pointcloud.data.scenes.cloud_scenes:layout",
        measure="onlay_pointcloud.data.scenes.cloud_scenes:measure",
        targets=frozenset({"point_classes"}),
        example="onlay_pointcloud.data.samples:cloud_scenes",
    )


@hookimpl
def register_protocols() -> Iterable[Protocol]:
    """Benchmarks of adapted backbones."""
    for name, grid, summary in (
        ("scanobjectnn", "scanobjectnn:scaled", "three variants; scaled and shifted in training"),
        ("scanobjectnn-rotate", "scanobjectnn:rotated", "the same, turned in training"),
        ("modelnet40", "modelnet40:grid", "40 classes, 1,024 points"),
        (
            "modelnet40-few-shot",
            "modelnet_fewshot:grid",
            "5 and 10 ways, 10 and 20 shots, 10 folds",
        ),
    ):
        module = grid.partition(":")[0]
        yield Protocol(
            name=name,
            modality="points",
            summary=summary,
            grid=f"onlay_pointcloud.protocols.{grid}",
            missing=f"onlay_pointcloud.protocols.{module}:missing",
        )


@hookimpl
def register_exporters() -> Iterable[Exporter]:
    """Programs."""
    yield Exporter(
        name="pt2",
        modality="points",
        export="onlay.model.program:export",
        summary="a program that `torch.export.load` loads, sampling and grouping included",
        partial=True,
        suffixes=frozenset({".pt2"}),
    )
