"""Exact numbers of parameters on networks of full size, from the papers' formulas."""

from __future__ import annotations

from typing import Any

import pytest

from onlay.config import parse
from onlay.descriptors import resolve

VIT, SWIN, POINTS = "vit_base_patch16_224", "swin_base_patch4_window7_224", "point_mae"
ALL_MAPS = ["q", "k", "v", "proj", "fc1", "fc2"]

COUNTS: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("adaptformer", {}, {VIT: 1_189_632, POINTS: 595_200}),
    ("adaptformer", {"bottleneck": 8}, {VIT: 156_768}),
    ("adaptformer", {"bottleneck": 32, "bias": False}, {VIT: 589_824}),
    ("adapter", {"norms": False}, {VIT: 2_379_264}),
    ("adapter", {"bottleneck": 8}, {VIT: 313_536 + 36_864}),
    ("adapter", {"kind": "pfeiffer", "bottleneck": 96}, {VIT: 1_779_840}),
    ("adapter", {"kind": "pfeiffer", "bottleneck": 8}, {VIT: 156_768}),
    ("convpass", {}, {VIT: 327_552}),
    ("convpass", {"sites": ["attn"]}, {VIT: 163_776}),
    ("repadapter", {}, {VIT: 239_808, POINTS: 120_000}),
    ("repadapter", {"sites": ["attn"]}, {VIT: 119_904}),
    ("mona", {}, {VIT: 2_684_928, SWIN: 3_667_456}),
    ("adalink", {}, {VIT: 99_136, POINTS: 49_600}),
    ("adalink", {"bias": False}, {VIT: 98_304, POINTS: 49_152}),
    ("pasta", {}, {VIT: 9_216, POINTS: 4_608}),
    ("norm_tuning", {}, {VIT: 38_400}),
    ("lora", {}, {VIT: 294_912, POINTS: 147_456}),
    ("lora", {"targets": ["q", "k", "v"]}, {VIT: 442_368}),
    ("lora", {"targets": ["qkv"]}, {VIT: 294_912}),
    ("lora", {"targets": ["fc1", "fc2"]}, {VIT: 737_280}),
    ("ssf", {}, {VIT: 205_824, POINTS: 102_912}),
    ("ia3", {}, {VIT: 55_296, POINTS: 27_648, SWIN: 72_192}),
    ("fact", {"rank": 8}, {VIT: 21_504}),
    ("fact", {}, {VIT: 61_440, POINTS: 49_152}),
    ("fact", {"rank": 32}, {VIT: 196_608}),
    ("fact", {"kind": "tk", "rank": 8}, {VIT: 13_952}),
    ("fact", {"kind": "tk"}, {VIT: 30_976, POINTS: 18_688}),
    ("fact", {"kind": "tk", "rank": 32}, {VIT: 86_528}),
    ("metatt", {}, {VIT: 13_184, POINTS: 7_040}),
    ("metatt", {"rank": 16}, {VIT: 28_160, POINTS: 15_872}),
    ("metatt", {"rank": 64}, {VIT: 155_648, POINTS: 106_496}),
    ("metatt", {"targets": ALL_MAPS}, {VIT: 13_824}),
    ("spectrum", {"rank": 8}, {VIT: 663_552, POINTS: 331_776}),
    ("dynamic_rank", {}, {VIT: 1_770_048, POINTS: 885_312}),
    ("vpt", {"kind": "shallow"}, {VIT: 7_680}),
    ("vpt", {}, {VIT: 92_160}),
    ("prefix", {}, {VIT: 184_320}),
    ("prefix", {"rows": 20}, {VIT: 368_640}),
    ("unipelt", {"parts": "apl"}, {VIT: 1_410_672, POINTS: 705_648}),
    ("unipelt", {}, {VIT: 1_217_124, POINTS: 608_868}),
    ("unipelt", {"parts": "ap"}, {VIT: 1_097_304, POINTS: 548_952}),
    ("ladder", {}, {VIT: 2_376_492, POINTS: 598_428}),
    ("ladder", {"reduction": 16}, {VIT: 856_860}),
]


@pytest.mark.parametrize(("method", "settings", "backbone", "expected"), [
    pytest.param(method, settings, backbone, number, id=f"{method}-{number}")
    for method, settings, counts in COUNTS
    for backbone, number in counts.items()
])  # fmt: skip
def test_count(method, settings, backbone, expected, empty, host):
    config = parse("method", {"name": method, **settings}, host)
    formula = resolve(host.find("method", method).count)
    assert formula(config, empty(backbone).anatomy) == expected


def test_every_method_is_counted(host):
    ours = {name for name in host.methods if host.owner("method", name).name == "baselines"}
    assert ours == {method for method, _, _ in COUNTS}
