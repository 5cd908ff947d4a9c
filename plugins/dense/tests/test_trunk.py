"""One map of any backbone's: necks, decoders, blocks that are read, and what cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from onlay import PluginHost
from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.errors import ConfigError
from onlay.model.report import parts_of
from onlay.testing import tiny_backbone, tiny_pyramid
from onlay_dense.decoders import dpt
from onlay_dense.decoders.config import DptConfig, UperNetConfig
from onlay_dense.decoders.dpt import DptDecoder
from onlay_dense.decoders.pyramids import build_upernet
from onlay_dense.neck import SimplePyramid
from onlay_dense.trunk import Trunk, build_trunk

HOST = PluginHost.discover()
PYRAMIDS = ("upernet", "fpn", "segformer")


def trunk(built: BuiltBackbone, decoder: Any, levels: Any = None) -> Trunk:
    torch.manual_seed(0)
    return build_trunk(parse("decoder", decoder, HOST), levels, built.anatomy, HOST)


def size(built: BuiltBackbone, made: Trunk, height: int, width: int, batch: int = 2) -> list[int]:
    """Of the map of images of that size."""
    images = torch.randn(batch, 3, height, width)
    found = made(built.anatomy.encode(images, levels=made.levels))
    return list(found.shape)


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


COUNTS = {
    192: (28_276_224, 1_420_384, 7_282_176, 605_184, 2_664_880, 348_592),
    384: (28_816_896, 1_521_760, 8_070_144, 803_328, 3_298_144, 880_480),
    768: (29_898_240, 1_724_512, 9_646_080, 1_199_616, 5_560_000, 2_939_584),
}


@pytest.mark.parametrize("width", COUNTS)
def test_parameters_by_the_width_of_the_backbone(width: int) -> None:
    """DPT in the paper's widths and in ours, UPerNet 256 and 64, the pyramid of 256 and 64."""
    four = 4 * [width]
    with torch.device("meta"):
        made = (
            DptDecoder(four, (256, 512, 1024, 1024), 256),
            dpt.build(DptConfig(), four, 4 * [16]),
            *(build_upernet(UperNetConfig(width=n), four, (4, 8, 16, 32)) for n in (256, 64)),
            *(SimplePyramid(four, n) for n in (256, 64)),
        )
    assert tuple(map(count, made)) == COUNTS[width]


@pytest.mark.parametrize("decoder", ["auto", "dpt"])
def test_dpt_on_a_plain_transformer(decoder: str) -> None:
    built = tiny_backbone(depth=12)
    made = trunk(built, decoder)
    assert (made.config.name, made.levels, made.width) == ("dpt", (2, 5, 8, 11), 64)
    assert size(built, made, 20, 12) == [2, 64, 40, 24]  # 5 x 3 places, of which each becomes 8 x 8
    assert list(made.parts) == ["decoder"]


@pytest.mark.parametrize("decoder", PYRAMIDS)
def test_a_pyramid_on_a_plain_transformer(decoder: str) -> None:
    built = tiny_backbone(width=16, depth=4)
    made = trunk(built, decoder)
    assert size(built, made, 20, 12) == [2, 64, 20, 12]
    found = parts_of(made)
    assert found["neck"] == count(SimplePyramid([16] * 4, 64))
    assert list(found)[1] == "decoder"
    wide = trunk(built, {"name": decoder, "width": 96})
    assert parts_of(wide)["neck"] == count(SimplePyramid([16] * 4, 96))


@pytest.mark.parametrize("decoder", ["auto", *PYRAMIDS])
def test_a_pyramid_from_stages_and_pooled_where_there_are_too_few(decoder: str) -> None:
    built = tiny_pyramid()
    made = trunk(built, decoder)
    assert made.levels == (1, 2)
    assert list(made.parts) == ["decoder"]
    assert made.config.name == decoder.replace("auto", "upernet")
    assert size(built, made, 24, 40, batch=1) == [1, 64, 6, 10]


def test_the_linear_probe_reads_the_last_map() -> None:
    for built, expected in ((tiny_backbone(), [2, 16, 2, 2]), (tiny_pyramid(), [2, 16, 1, 1])):
        made = trunk(built, "linear")
        assert size(built, made, 8, 8) == expected
        assert not made.parts


def test_the_linear_probe_is_one_of_what_the_backbone_puts_out() -> None:
    """Its own last norm, but for a scale and a shift that the layer behind can learn."""
    built = tiny_backbone()
    norm: Any = built.module.norm
    torch.nn.init.uniform_(norm.weight, 0.5, 2)
    torch.nn.init.normal_(norm.bias)
    made = trunk(built, "linear")
    features = built.anatomy.encode(torch.randn(2, 3, 8, 8), levels=made.levels)
    mapped = made(features).flatten(2).transpose(1, 2) * norm.weight + norm.bias
    torch.testing.assert_close(mapped, features.patches, rtol=1e-4, atol=1e-4)


def test_neck_and_decoders_keep_places_on_odd_grids() -> None:
    """What a padded pyramid says of its own part is what it says of that part alone: nothing
    shifts, and padding lies below and to the right."""
    pyramid = SimplePyramid([8] * 4, 8)
    maps = [torch.randn(1, 8, 3, 5) for _ in range(4)]
    assert [list(x.shape[-2:]) for x in pyramid(maps)] == [[12, 20], [6, 10], [3, 5], [2, 3]]
    decoder = DptDecoder([8] * 4, (4, 4, 4, 4), 4).eval()
    padded = [torch.nn.functional.pad(x, (0, 1, 0, 1)) for x in maps]
    assert torch.equal(decoder(maps), decoder(padded)[..., :24, :40])


def test_blocks_that_a_user_names() -> None:
    plain, stages = tiny_backbone(width=16, depth=4), tiny_pyramid(depths=(4, 1))
    assert trunk(plain, "dpt", (0, 1, 2, 3)).levels == (0, 1, 2, 3)
    assert size(plain, trunk(plain, "upernet", (3,)), 8, 8) == [2, 64, 8, 8]  # ViTDet reads one map
    one_stage = trunk(stages, "auto", (0, 1, 2, 3))
    assert one_stage.config.name == "dpt"
    assert size(stages, one_stage, 16, 16) == [2, 64, 32, 32]


@pytest.mark.parametrize(
    ("decoder", "levels", "said"),
    [
        ("dpt", (0, 1, 2, 4), "`task.levels` asks for block 4, and the backbone has 0 to 3"),
        ("dpt", (3,), "`task.levels` names 1 block, and decoder `dpt` reads 4"),
        ("upernet", (1, 3), "`task.levels` names 2 blocks, and decoder `upernet` reads 4"),
        ("linear", (), "`task.levels` names 0 blocks, and decoder `linear` reads 1"),
    ],
)
def test_blocks_that_cannot_be_read(decoder: str, levels: tuple[int, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        trunk(tiny_backbone(depth=4), decoder, levels)


def test_a_decoder_that_the_backbone_cannot_feed() -> None:
    with pytest.raises(ConfigError) as refused:
        trunk(tiny_pyramid(), "dpt")
    assert str(refused.value) == (
        "decoder `dpt` reads maps of one size, and those of this backbone shrink from stage to"
        " stage: take `auto` or `fpn` or `linear` or `segformer` or `upernet`, which it can feed,"
        " or name 4 blocks of one stage in `task.levels`"
    )
    with pytest.raises(ConfigError, match="have 4, 4, 8, 8 pixels to a place: name blocks of one"):
        trunk(tiny_pyramid(depths=(2, 2)), "upernet", (0, 1, 2, 3))


@pytest.mark.parametrize("decoder", ["dpt", *PYRAMIDS])
@pytest.mark.parametrize("scale", [1, 10])
def test_maps_begin_at_a_size_that_a_linear_layer_can_use(decoder: str, scale: int) -> None:
    """Also where a backbone's maps are large, as those of deep blocks are."""
    built = tiny_backbone(width=32, depth=4)
    made = trunk(built, decoder).eval()
    features = built.anatomy.encode(torch.randn(2, 3, 32, 32), levels=made.levels)
    larger = replace(features, levels=[scale * map_BDhw for map_BDhw in features.levels])
    assert 0.1 < made(larger).std() < 3


def test_seeds_decide_the_start() -> None:
    states = [trunk(tiny_backbone(width=16), "fpn").state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
