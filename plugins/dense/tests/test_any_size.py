"""Where a trunk's map lies on the picture, also where it reaches beyond it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from onlay import PluginHost
from onlay.config import parse
from onlay_dense.decoders.config import LinearConfig
from onlay_dense.trunk import Trunk, build_trunk
from onlay_image.backbones.build import build
from onlay_image.backbones.config import TimmConfig

SWIN = {"embed_dim": 16, "depths": (1, 1, 1), "num_heads": (2, 2, 2), "window_size": 4}


class Given(nn.Module):
    width = 1

    def forward(self, maps: list[Tensor]) -> Tensor:
        return maps[-1]


def test_a_ramp_on_padded_patches_is_cut_to_the_picture() -> None:
    """Ten rows are two and a half patches of four; row y lies at (y + 0.5) / 4 - 0.5 of the map,
    and the ends are level."""
    ramp = torch.arange(3.0).view(1, 1, 3, 1).expand(1, 1, 3, 2)
    trunk = Trunk([0], None, Given(), LinearConfig(), (4, 4))
    found = trunk.to_pixels(ramp, torch.zeros(1, 3, 10, 6))
    expected = ((torch.arange(10.0) + 0.5) / 4 - 0.5).clamp(0, 2)
    torch.testing.assert_close(found, expected.view(1, 1, 10, 1).expand(1, 1, 10, 6))


@pytest.mark.parametrize("decoder", ["linear", "upernet", "fpn", "segformer"])
def test_odd_maps_of_stages_stay_in_their_places(decoder: str) -> None:
    """Maps of 9 x 7, 5 x 4 and 3 x 2 places; what changes in the picture's last corner changes that
    corner most."""
    torch.manual_seed(0)
    model, host = "swin_tiny_patch4_window7_224", PluginHost.discover()
    config = TimmConfig(model=model, pretrained=False, img_size=(35, 27), model_kwargs=SWIN)
    built = build(config)
    built.module.eval()
    made = build_trunk(parse("decoder", decoder, host), None, built.anatomy, host).eval()
    images = torch.zeros(2, 3, 35, 27)
    images[1, :, 32:, 24:] = 9.0
    with torch.no_grad():
        found = made.to_pixels(made(built.anatomy.encode(images, levels=made.levels)), images)
    assert found.shape[-2:] == (35, 27)
    change = (found[1] - found[0]).abs().sum(0)
    row, column = divmod(int(change.argmax()), 27)
    assert (row >= 24, column >= 20) == (True, True)
