"""What this distribution brings. Registering imports neither torch nor timm."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Backbone, Dataset, Exporter, Modality, Optimizer, Protocol
from onlay.hooks import hookimpl

_PLAIN = {"embed_dim": 24, "num_heads": 2, "depth": 2}
_SWIN = {"embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4}
_EXAMPLES = tuple(
    {"model": model, "pretrained": False, "model_kwargs": own, **size}
    for model, own, size in (
        ("vit_tiny_patch16_224", _PLAIN, {"img_size": [32, 48]}),
        ("vit_base_patch16_siglip_224", _PLAIN, {"img_size": 32}),
        ("beit_base_patch16_224", _PLAIN, {"img_size": [32, 48]}),
        ("eva02_tiny_patch14_224", _PLAIN, {"img_size": 28, "dynamic_img_size": True}),
        ("eva02_base_patch14_224", _PLAIN, {"img_size": 28}),
        ("vit_small_patch16_dinov3", _PLAIN, {"img_size": 32, "dynamic_img_size": True}),
        ("swin_tiny_patch4_window7_224", _SWIN, {"img_size": [32, 64]}),
        ("swinv2_tiny_window8_256", _SWIN, {"img_size": 40, "dynamic_img_size": True}),
    )
)
"""One of each kind of block: with and without class token, q, k, v read from a weight or in three
layers, rotated, in windows."""


_OF_FILES = ("folder", "csv_file", "shards", "parquet")
"""Layouts without published parts, all of which can be judged."""


@hookimpl
def register_modalities() -> Iterable[Modality]:
    """Images."""
    yield Modality(
        name="image",
        reader="onlay_image.data.preprocess:reader",
        suffixes="onlay_image.data.suffixes:SUFFIXES",
        summary="photographs and other pictures, (B, C, H, W)",
        preprocessing="onlay_image.data.facts:ImageFacts",
        mixes={
            "mixup": "onlay_image.data.mixing:mixup",
            "cutmix": "onlay_image.data.mixing:cutmix",
        },
        thumbnail="onlay_image.viewer:thumbnail",
        measure="onlay_image.data.measuring:measure",
        tiles="onlay_image.data.tiles:Tiles",
        viewer="onlay_image.viewer:view",
    )


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    """timm's transformers, and one that needs no download."""
    yield Backbone(
        name="timm",
        config="onlay_image.backbones.config:TimmConfig",
        build="onlay_image.backbones.build:build",
        modality="image",
        summary="ViT, BEiT, EVA-02, DINOv3, Swin and Swin-V2 of timm",
        provides="onlay_image.backbones.traits:provides",
        adopt="onlay_image.backbones.build:adopt",
        catch_all="model",
        examples=_EXAMPLES,
    )
    yield Backbone(
        name="onlay_vit_64",
        config="onlay_image.backbones.config:BundledConfig",
        build="onlay_image.backbones.bundled:build",
        modality="image",
        summary="a small ViT for 64 pixels, pretrained, inside this wheel",
        provides="onlay_image.backbones.traits:provides",
        examples=({},),
    )
    yield Backbone(
        name="small_cnn",
        config="onlay_image.backbones.config:SmallCnnConfig",
        build="onlay_image.backbones.small:build",
        modality="image",
        summary="four convolutions without pretraining, a control to train from scratch",
        provides="onlay_image.backbones.traits:provides",
        examples=({"img_size": 32},),
        scratch=True,
    )


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    """Layouts of labelled images."""
    for name, config, module, summary in (
        ("image_folder", "ImageFolderConfig", "folder", "a folder of class folders"),
        ("image_csv", "ImageCsvConfig", "csv_file", "a CSV file of paths and labels, or numbers"),
        ("shards", "ShardsConfig", "shards", "tars of images and labels"),
        ("parquet", "ParquetConfig", "parquet", "Parquet tables of images and labels"),
        ("vtab", "VtabConfig", "vtab", "a task of VTAB-1k"),
        ("fgvc", "FgvcConfig", "fgvc", "a fine-grained task with the splits of VPT"),
        ("few_shot", "FewShotConfig", "few_shot", "a few images of each class, NOAH's lists"),
        ("digits", "DigitsConfig", "digits", "scikit-learn's digits, without download"),
    ):
        yield Dataset(
            name=name,
            config=f"onlay_image.data.config:{config}",
            build=f"onlay_image.data.{module}:build",
            modality="image",
            summary=summary,
            whole=f"onlay_image.data.{module}:whole" if module in _OF_FILES else None,
            layout=f"onlay_image.data.{module}:layout" if name != "digits" else None,
            targets=frozenset({"class", *(("labels", "numbers") if module == "csv_file" else ())}),
            example=None if name == "digits" else f"onlay_image.data.samples:{name}",
        )


@hookimpl
def register_protocols() -> Iterable[Protocol]:
    """Benchmarks of adapted backbones."""
    for name, grid, summary in (
        ("vtab-1k", "vtab:imagenet", "19 tasks, 1,000 images each; ImageNet's mean and deviation"),
        ("vtab-1k-half", "vtab:half", "the same, normalised by 0.5 and 0.5"),
        ("vtab-1k-none", "vtab:none", "the same, not normalised"),
        ("fgvc", "fgvc:grid", "birds twice, flowers, dogs and cars, with the splits of VPT"),
        ("few-shot", "few_shot:grid", "1 to 16 images a class of five data sets, three draws"),
    ):
        yield Protocol(
            name=name,
            modality="image",
            summary=summary,
            grid=f"onlay_image.protocols.{grid}",
            missing=f"onlay_image.protocols.{grid.partition(':')[0]}:missing",
        )


@hookimpl
def register_exporters() -> Iterable[Exporter]:
    """Plain timm models, and programs."""
    yield Exporter(
        name="timm",
        modality="image",
        export="onlay_image.export:export",
        summary="a state dict and config that `timm.create_model` loads",
        suffixes=frozenset({".safetensors"}),
    )
    yield Exporter(
        name="program",
        modality="image",
        export="onlay.model.program:export",
        summary="a program that `torch.export.load` loads, with what cannot be folded",
        partial=True,
        suffixes=frozenset({".pt2"}),
    )


@hookimpl
def register_optimizers() -> Iterable[Optimizer]:
    """Timm's, as far as torch has none of the name."""
    for name, summary in (
        ("lion", "steps by the sign of momentum"),
        ("lamb", "Adam with rates by layer, for large batches"),
        ("lars", "SGD with rates by layer, for large batches"),
        ("adan", "Adam with Nesterov momentum in all moments"),
        ("adopt", "Adam that converges with any second beta"),
        ("laprop", "Adam with momentum after normalisation"),
        ("madgrad", "dual averaging with momentum"),
        ("adabelief", "Adam by the belief in gradients"),
        ("adamp", "Adam that leaves the length of scale-invariant weights"),
        ("novograd", "second moments by layer"),
        ("nadamw", "NAdam with decoupled weight decay"),
        ("cadamw", "AdamW that waits where momentum and gradient disagree"),
        ("muon", "orthogonalised momentum for matrices, AdamW for the rest"),
        ("mars", "Adam with reduced variance"),
        ("sgdw", "SGD with decoupled weight decay"),
        ("sgdp", "SGD that leaves the length of scale-invariant weights"),
        ("rmsproptf", "RMSprop as TensorFlow has it"),
    ):
        yield Optimizer(name=name, build="onlay_image.optimizers:build", summary=summary)
