"""Names that Onlay's own distributions bring, and how one installs them: what an error says."""

from __future__ import annotations

import re

INSTALL = "in a clone of Onlay `hatch build --all`, then `pip install --find-links dist {}`"
"""How one gets a wheel of ours. Once they are on a package index: "`pip install {}`"."""

BROUGHT_BY = {
    "onlay-arc": {"method": ("arc",)},
    "onlay-smoa": {"method": ("smoa",)},
    "onlay-dapt": {"method": ("dapt",)},
    "onlay-iconformer": {"method": ("iconformer",)},
    "onlay-peft": {"method": ("peft",), "command": ("peft",)},
    "onlay-image": {
        "backbone": ("timm", "onlay_vit_64", "small_cnn"),
        "modality": ("image",),
        "dataset": (
            *("image_folder", "image_csv", "shards", "parquet", "vtab", "fgvc", "few_shot"),
            "digits",
        ),
        "protocol": ("vtab-1k", "vtab-1k-half", "vtab-1k-none", "fgvc", "few-shot"),
        "exporter": ("timm", "program"),
        "optimizer": (
            *("lion", "lamb", "lars", "adan", "adopt", "laprop", "madgrad", "adabelief", "adamp"),
            *("novograd", "nadamw", "cadamw", "muon", "mars", "sgdw", "sgdp", "rmsproptf"),
        ),
    },
    "onlay-pointcloud": {
        "backbone": (
            *("point_mae", "act", "point_bert", "recon", "recon_as_mae", "onlay_points"),
            "small_pointnet",
        ),
        "modality": ("points",),
        "dataset": (
            *("cloud_folder", "cloud_csv", "shapes", "scanobjectnn", "modelnet40"),
            *("modelnet_fewshot", "shapenet_part", "labelled_clouds", "cloud_scenes"),
        ),
        "task": ("part_segmentation", "point_segmentation"),
        "protocol": ("scanobjectnn", "scanobjectnn-rotate", "modelnet40", "modelnet40-few-shot"),
        "exporter": ("pt2",),
    },
    "onlay-dense": {
        "decoder": ("auto", "linear", "dpt", "upernet", "fpn", "segformer"),
        "task": ("segmentation", "depth", "instances", "detection"),
        "dataset": (
            *("cells", "mask_folder", "camvid", "ade20k"),
            *("depth_folder", "nyu", "kitti", "rooms", "instance_folder", "coco"),
        ),
    },
    "onlay-baselines": {
        "method": (
            *("adaptformer", "adapter", "convpass", "repadapter", "mona", "adalink", "pasta"),
            *("norm_tuning", "lora", "ssf", "ia3", "fact", "metatt", "spectrum", "dynamic_rank"),
            *("vpt", "prefix", "unipelt", "ladder"),
        ),
    },
    "onlay-dyt": {"method": ("dyt",)},
    "onlay-cloud-methods": {"method": ("idpt", "point_peft", "pointgst", "ppt", "stag")},
    "onlay-train": {
        "command": ("train", "eval", "folds", "compare", "recommend", "demo"),
        "executor": ("local", "slurm", "ray"),
        "optimizer": (
            *("adamw", "sgd", "adam", "nadam", "radam", "adamax"),
            *("adagrad", "adadelta", "adafactor", "rmsprop", "asgd"),
        ),
        "tracker": (
            *("tensorboard", "wandb", "trackio", "mlflow", "comet_ml", "aim"),
            *("clearml", "dvclive", "swanlab"),
        ),
    },
}


TAKES = {
    "onlay-peft": (
        "method=peft method.tuner=",
        ("oft", "boft", "vera", "loha", "lokr", "hra", "fourierft", "randlora"),
    ),
}
"""Names by which people know what one of our methods does, and how it is told so."""


def distribution_of(kind: str, name: str) -> str | None:
    """The distribution that brings the name, installed or not; `None` for a name that is not
    ours."""
    for distribution, kinds in BROUGHT_BY.items():
        if name in kinds.get(kind, ()):
            return distribution
    return None


def names_of(kind: str) -> set[str]:
    """All of our own names of one kind."""
    return {name for kinds in BROUGHT_BY.values() for name in kinds.get(kind, ())}


def install(*words: str) -> str:
    """The command that installs a distribution, ours or somebody else's.

    >>> install("acme-lora==1.2")
    '`pip install acme-lora==1.2`'
    """
    ours = {"onlay", *BROUGHT_BY}
    names = {re.split(r"[\[=<>!~ ]", word)[0] for word in words}
    quoted = (f'"{word}"' if "[" in word else word for word in words)  # shells expand brackets
    return (INSTALL if names & ours else "`pip install {}`").format(" ".join(quoted))
