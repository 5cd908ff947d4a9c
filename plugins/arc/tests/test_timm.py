"""ARC on timm's own models: exact counts, merging, and what Swin's shifted windows change."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import onlay
from onlay.config.run import RunConfig
from onlay.errors import CannotFold
from onlay_arc.presets import PRESETS

pytest.importorskip("onlay_image", reason="the backbones are timm's, which come with onlay-image")
timm = pytest.importorskip("timm", reason="comes with onlay-image")


@pytest.mark.parametrize(
    ("name", "arc", "arc_att"),
    [
        ("vit_base_patch16_224", 96_432, 48_216),
        ("vit_large_patch16_224", 153_952, 76_976),
        ("swin_base_patch4_window7_224", 218_464, 109_232),
    ],
)
def test_published_counts(name: str, arc: int, arc_att: int, host: Any) -> None:
    for sites, expected in ((["attn.in", "mlp.in"], arc), (["attn.in"], arc_att)):
        with torch.device("meta"):
            backbone = timm.create_model(name)
        method = {"name": "arc", "sites": sites}
        model = onlay.adapt(backbone, method, num_classes=10, host=host, verify=False)
        report = model.trainable_report()
        assert (report.method, report.other) == (expected, 0)
        width = model.anatomy.stages[-1].width
        assert report.head == 10 * (width + 1)


def built(name: str, method: dict[str, Any], host: Any) -> Any:
    torch.manual_seed(0)
    backbone = timm.create_model(name, num_classes=0)
    return onlay.adapt(backbone, {"name": "arc", **method}, num_classes=5, host=host).eval()


@pytest.fixture
def photographs() -> Tensor:
    return torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("vit_tiny_patch16_224", {}),
        ("swin_tiny_patch4_window7_224", {"swin_mlp_site": "post_norm"}),
    ],
)
def test_merges(name: str, method: Any, host: Any, photographs: Tensor, randomize: Any) -> None:
    model = built(name, method, host)
    randomize(model)
    with torch.no_grad():
        adapted, merged = model(photographs), model.merge()(photographs)
    assert (adapted - merged).abs().max() < 1e-4


def test_swin_as_released_stays_an_adapter(host: Any) -> None:
    model = built("swin_tiny_patch4_window7_224", {}, host)
    sites = {site.split(".", 2)[2] for site in model.adapter.pipes}
    assert sites == {"attn.in", "mlp.res"}
    with pytest.raises(CannotFold, match="cannot be merged"):
        model.merge()


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_make_runs(preset: str, host: Any) -> None:
    swin = "swin" in preset
    data = {
        "backbone": "swin_base_patch4_window7_224.ms_in22k_ft_in1k"
        if swin
        else "vit_base_patch16_224.orig_in21k",
        "method": {"name": "arc", "rank": 8},
        "data": {"name": "fgvc" if preset.startswith("fgvc") else "vtab", "path": "task"},
        "preset": preset,
    }
    run = RunConfig.model_validate(data, context={"host": host})
    assert run.task.zero_head
    assert (run.method.rank, run.method.dropout) == (8, PRESETS[preset]["method"]["dropout"])
    assert run.train.epochs == 100
    assert run.backbone.drop_path == (0.1 if swin else None)
    assert run.data.preprocess.normalize == "imagenet"
