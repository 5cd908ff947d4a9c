"""What this distribution brings. Registering imports neither torch nor timm."""

from __future__ import annotations

from collections.abc import Iterable

from inlay.descriptors import Backbone, Dataset, Exporter, Modality
from inlay.hooks import hookimpl


@hookimpl
def register_modalities() -> Iterable[Modality]:
    """Images."""
    from inlay_image.data.suffixes import SUFFIXES

    yield Modality(
        name="image",
        reader="inlay_image.data.preprocess:reader",
        suffixes=SUFFIXES,
        summary="photographs and other pictures, (B, 3, H, W)",
        viewer="inlay_image.viewer:view",
    )


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """timm's transformers, and one that needs no download."""
    yield Backbone(
        name="timm",
        config="inlay_image.backbones.config:TimmConfig",
        build="inlay_image.backbones.build:build",
        modality="image",
        summary="ViT, BEiT, EVA-02, DINOv3, Swin and Swin-V2 of timm",
        provides="inlay_image.backbones.traits:provides",
        adopt="inlay_image.backbones.build:adopt",
        catch_all="model",
    )
    yield Backbone(
        name="inlay_vit_64",
        config="inlay_image.backbones.config:BundledConfig",
        build="inlay_image.backbones.bundled:build",
        modality="image",
        summary="a small ViT for 64 pixels, pretrained, inside this wheel",
        provides="inlay_image.backbones.traits:provides",
    )


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    """Layouts of labelled images."""
    for name, config, module, summary in (
        ("image_folder", "ImageFolderConfig", "folder", "a folder of class folders"),
        ("image_csv", "ImageCsvConfig", "csv_file", "a CSV file of paths and labels"),
        ("vtab", "VtabConfig", "vtab", "a task of VTAB-1k"),
        ("fgvc", "FgvcConfig", "fgvc", "a fine-grained task with the splits of VPT"),
        ("digits", "DigitsConfig", "digits", "scikit-learn's digits, without download"),
    ):
        yield Dataset(
            name=name,
            config=f"inlay_image.data.config:{config}",
            build=f"inlay_image.data.{module}:build",
            modality="image",
            summary=summary,
        )


@hookimpl
def register_exporters() -> Iterable[Exporter]:
    """Plain timm models."""
    yield Exporter(
        name="timm",
        modality="image",
        export="inlay_image.export:export",
        summary="a state dict and config that `timm.create_model` loads",
    )
