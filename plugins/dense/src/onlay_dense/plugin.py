"""What this distribution brings. Registering imports neither torch nor timm."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Dataset, Decoder, Task
from onlay.hooks import hookimpl

ONE_STRIDE, PYRAMID = frozenset({"one_stride"}), frozenset({"pyramid"})


@hookimpl
def register_decoders() -> Iterable[Decoder]:
    """From maps of blocks to one map."""
    yield Decoder(
        name="auto",
        config="onlay_dense.decoders.config:AutoConfig",
        build="onlay_dense.decoders.auto:build",
        takes=ONE_STRIDE | PYRAMID,
        summary="`dpt` on a plain transformer, `upernet` on a hierarchical backbone",
        examples=({"width": 16}, {}),
    )
    yield Decoder(
        name="linear",
        config="onlay_dense.decoders.config:LinearConfig",
        build="onlay_dense.decoders.linear:build",
        takes=ONE_STRIDE | PYRAMID,
        levels=1,
        summary="the last map, normed, for the field's linear probe",
    )
    yield Decoder(
        name="dpt",
        config="onlay_dense.decoders.config:DptConfig",
        build="onlay_dense.decoders.dpt:build",
        takes=ONE_STRIDE,
        summary="DPT: four maps of a plain transformer, joined from coarse to fine",
        examples=({"width": 16, "channels": [8, 16, 24, 24]}, {}),
        citation="Ranftl et al., Vision Transformers for Dense Prediction, ICCV 2021,"
        " arXiv 2103.13413",
    )
    yield Decoder(
        name="upernet",
        config="onlay_dense.decoders.config:UperNetConfig",
        build="onlay_dense.decoders.pyramids:build_upernet",
        takes=PYRAMID,
        summary="UPerNet: a pooled and a joined pyramid",
        examples=({"width": 16}, {}),
        citation="Xiao et al., Unified Perceptual Parsing for Scene Understanding, ECCV 2018,"
        " arXiv 1807.10221",
    )
    yield Decoder(
        name="fpn",
        config="onlay_dense.decoders.config:FpnConfig",
        build="onlay_dense.decoders.pyramids:build_fpn",
        takes=PYRAMID,
        summary="FPN: a pyramid whose maps are added",
        examples=({"width": 32}, {}),
        citation="Kirillov et al., Panoptic Feature Pyramid Networks, CVPR 2019, arXiv 1901.02446",
    )
    yield Decoder(
        name="segformer",
        config="onlay_dense.decoders.config:SegformerConfig",
        build="onlay_dense.decoders.pyramids:build_segformer",
        takes=PYRAMID,
        summary="SegFormer: a linear layer on each map, and one on all",
        examples=({"width": 16}, {}),
        citation="Xie et al., SegFormer: Simple and Efficient Design for Semantic Segmentation"
        " with Transformers, NeurIPS 2021, arXiv 2105.15203",
    )


@hookimpl
def register_tasks() -> Iterable[Task]:
    """An answer for each pixel, or for each object."""
    yield Task(
        name="segmentation",
        config="onlay_dense.segmentation.config:SegmentationConfig",
        build="onlay_dense.segmentation.head:build",
        summary="a class for each pixel",
        examples=(
            {},
            {"decoder": "linear", "loss": "ce_dice", "class_weights": [1.0, 2.0, 0.5]},
            {"decoder": "linear", "loss": "focal", "class_weights": "balanced", "dropout": 0.25},
            {"decoder": "linear", "loss": "dice"},
        ),
        example="onlay_dense.segmentation.example:example",
        targets="mask",
        needs=frozenset({"grid"}),
    )
    yield Task(
        name="depth",
        config="onlay_dense.depth.config:DepthConfig",
        build="onlay_dense.depth.head:build",
        summary="a distance for every pixel",
        targets="depth",
        needs=frozenset({"grid"}),
        examples=(
            {"decoder": "linear"},
            {"decoder": {"name": "segformer", "width": 8}, "crop": "eigen"},
            {"decoder": "linear", "output": "softplus", "min": 0.1, "max": 20.0, "unit": "cm"},
            {"decoder": "linear", "silog_lambda": 0.85, "crop": "garg", "metric": "rmse"},
        ),
        example="onlay_dense.depth.example:example",
        quiet={"flip_test": "a second view is the model's to see, not the head's"},
    )
    yield from _objects()


def _objects() -> Iterable[Task]:
    small = {"width": 8, "box_width": 16, "proposals": 32, "detections": 16}
    for name, config, summary, more in (
        (
            "instances",
            "InstancesConfig",
            "a box, a class and a mask for each object: Mask R-CNN",
            {"mask_width": 8},
        ),
        ("detection", "DetectionConfig", "a box and a class for each object: Faster R-CNN", {}),
    ):
        yield Task(
            name=name,
            config=f"onlay_dense.objects.config:{config}",
            build="onlay_dense.objects.head:build",
            summary=summary,
            examples=(small | more,),
            example="onlay_dense.objects.example:squares",
            targets="objects",
            needs=frozenset({"grid"}),
        )


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    """Layouts of images with targets that lie on them."""
    yield Dataset(
        name="cells",
        config="onlay_dense.generated.config:CellsConfig",
        build="onlay_dense.generated.cells:build",
        modality="image",
        summary="generated pictures of cells, whose nuclei are to be found, without download",
        targets=frozenset({"mask"}),
    )
    for name, config, summary in (
        ("mask_folder", "MaskFolderConfig", "images and masks in two folders"),
        ("camvid", "CamvidConfig", "CamVid: streets, 11 classes and void"),
        ("ade20k", "Ade20kConfig", "ADE20K's scene parsing: 150 classes and void"),
    ):
        yield Dataset(
            name=name,
            config=f"onlay_dense.data.config:{config}",
            build=f"onlay_dense.data.{name}:build",
            whole=f"onlay_dense.data.{name}:whole",
            truth="onlay_dense.data.mask_folder:truth" if name == "mask_folder" else None,
            layout=f"onlay_dense.data.{name}:layout",
            measure=f"onlay_dense.data.{name}:measure",
            modality="image",
            summary=summary,
            targets=frozenset({"mask", *(("several",) if name == "mask_folder" else ())}),
            example=f"onlay_dense.data.samples:{name}",
        )
    for name, config, module, summary in (
        ("depth_folder", "DepthFolderConfig", "depth_folder", "images and depth maps in folders"),
        ("nyu", "NyuConfig", "depth_lists", "NYU Depth V2: rooms and their depths"),
        ("kitti", "KittiConfig", "depth_lists", "KITTI with Eigen's lists: streets and depths"),
    ):
        yield Dataset(
            name=name,
            config=f"onlay_dense.data.depth_config:{config}",
            build=f"onlay_dense.data.{module}:build",
            whole="onlay_dense.data.depth_folder:whole" if name == "depth_folder" else None,
            truth="onlay_dense.data.depth_folder:truth" if name == "depth_folder" else None,
            layout=f"onlay_dense.data.{module}:layout",
            measure=f"onlay_dense.data.{module}:measure",
            modality="image",
            summary=summary,
            targets=frozenset({"depth"}),
            example=f"onlay_dense.data.depth_samples:{name}",
        )
    yield Dataset(
        name="rooms",
        config="onlay_dense.rooms.config:RoomsConfig",
        build="onlay_dense.rooms.data:build",
        modality="image",
        summary="rendered rooms with classes and depths of pixels, without download",
        targets=frozenset({"mask", "depth", "several"}),
        example="onlay_dense.data.depth_samples:rooms",
    )
    for name, config, summary in (
        ("instance_folder", "InstanceFolderConfig", "images and maps of objects in two folders"),
        ("coco", "CocoConfig", "images and objects in COCO's JSON files"),
    ):
        yield Dataset(
            name=name,
            config=f"onlay_dense.data.objects_config:{config}",
            build=f"onlay_dense.data.{name}:build",
            whole=f"onlay_dense.data.{name}:whole",
            truth="onlay_dense.data.instance_folder:truth" if name == "instance_folder" else None,
            layout=f"onlay_dense.data.{name}:layout",
            measure=f"onlay_dense.data.{name}:measure",
            modality="image",
            summary=summary,
            targets=frozenset({"objects", *(("mask",) if name == "coco" else ())}),
            example=f"onlay_dense.data.objects_samples:{name}",
        )
