"""Convolutions, patches and the loss of pairs, by numbers worked out by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import onlay
from onlay.anatomy import Placement
from onlay.config import parse
from onlay.errors import AnatomyError
from onlay.host import PluginHost
from onlay.model.assemble import build_backbone
from onlay_example_sequence.config import NextItemConfig
from onlay_example_sequence.convolutions import NextItNet
from onlay_example_sequence.head import NextItemHead
from onlay_example_sequence.patches import Patch, count

HOST = PluginHost.discover()
SMALL = {"name": "nextitnet", "items": 9, "length": 6, "width": 8, "dilations": [1, 2]}
ITEMS = ["tea", "milk", "bread"]


def adapted(**settings: Any) -> Any:
    torch.manual_seed(0)
    method = {"name": "peterrec", **settings}
    return onlay.adapt(SMALL, method, task="next_item", labels=ITEMS, host=HOST).eval()


def test_an_output_sees_121_ids_and_none_behind_it() -> None:
    torch.manual_seed(0)
    net = NextItNet(items=9, length=8, width=4, dilations=[1, 4] * 4).eval().double()
    for block in net.blocks:  # norms would hide what is far away among what is near
        block.norm1, block.norm2 = nn.Identity(), nn.Identity()
        for conv in (block.conv1, block.conv2):
            nn.init.constant_(conv.kernel.weight, 0.1)
    nn.init.uniform_(net.embed.items.weight, 0.1, 1)
    ids = torch.full((1, 130), 3)
    changes = []
    for back in (121, 120):
        other = ids.clone()
        other[0, 129 - back] = 4
        changes.append(not torch.equal(net(ids)[0, 129], net(other)[0, 129]))
    assert (changes, net.sees) == ([False, True], 121)
    later = ids.clone()
    later[0, 100] = 5
    assert torch.equal(net(ids)[0, :100], net(later)[0, :100])


def test_counts_are_the_papers() -> None:
    for width, patches in ((64, 16 * 2_128), (256, 16 * 33_088)):
        config = parse("backbone", {"name": "nextitnet", "width": width, "items": 1}, HOST)
        built = build_backbone(config, HOST)
        assert count(parse("method", {"name": "peterrec"}, HOST), built.anatomy) == patches
        if width == 64:
            network = {n: p.numel() for n, p in built.module.named_parameters() if "embed" not in n}
            norms = sum(number for name, number in network.items() if "norm" in name)
            assert (sum(network.values()) - norms, norms) == (197_632, 2_048)


def block_by_hand(model: Any, x: Tensor, graft: Any) -> Tensor:
    """The first block, `graft(i, z, x)` being what becomes of what convolution i gives."""
    block, known = model.backbone.blocks[0], torch.ones(*x.shape[:2], 1)
    hidden = block.norm1(graft(0, block.conv1(x, known), x)).relu()
    return x + block.norm2(graft(1, block.conv2(hidden, known), hidden)).relu()


@pytest.mark.parametrize("kind", ["serial", "parallel"])
def test_a_patch_reads_what_its_layer_gives_or_what_it_reads(kind: str) -> None:
    model = adapted(kind=kind)
    patches = [m for m in model.adapter.modules() if isinstance(m, Patch)]
    found: dict[str, Tensor] = {}
    first = model.backbone.blocks[0]
    first.register_forward_hook(lambda m, args, out: found.update(x=args[0], y=out))
    ids = torch.tensor([[3, 4, 5, 6, 7, 2]])
    with torch.no_grad():
        model(ids)
        with model.disabled():
            bare = block_by_hand(model, found["x"], lambda i, z, x: z)
        torch.testing.assert_close(found["y"], bare, rtol=0, atol=0)  # W_u is 0
        for patch in patches:
            patch.up.weight.normal_()
        model(ids)

        def graft(i: int, z: Tensor, x: Tensor) -> Tensor:
            read, patch = (z if kind == "serial" else x), patches[i]
            narrow = nn.functional.gelu(read @ patch.down.weight.T + patch.down.bias)
            return z + narrow @ patch.up.weight.T + patch.up.bias

        with model.disabled():
            expected = block_by_hand(model, found["x"], graft)
    torch.testing.assert_close(found["y"], expected)
    assert not torch.allclose(found["y"], bare)


def test_padding_is_zeros_and_the_norms_train_if_asked() -> None:
    model = adapted(norms=True)
    with torch.no_grad():
        plain, padded = (
            model.features(torch.tensor([ids])).patches[0] for ids in ([3, 4, 2], [0, 0, 3, 4, 2])
        )
    torch.testing.assert_close(padded[2:], plain)
    assert model.trainable_report().other == 2 * 2 * 8


def test_pairs_of_equal_scores_and_a_table_of_ones() -> None:
    head = NextItemHead(3, ITEMS[:2], NextItemConfig(loss="pairs", decay=0.0))
    loss = head.eval().loss(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0]))
    assert loss.item() == pytest.approx(2 * math.log(2))  # 1.38629
    decayed = NextItemHead(3, ITEMS[:2], NextItemConfig(loss="pairs", decay=0.02))
    nn.init.ones_(decayed.items)
    extra = decayed.eval().loss(torch.zeros(4, 2), torch.tensor([0, 1, 1, 0])) - loss
    assert extra.item() == pytest.approx(0.06)


def test_no_item_is_its_own_negative() -> None:
    head = NextItemHead(3, ITEMS, NextItemConfig(loss="pairs")).train()
    scores, targets = torch.full((200, 3), -50.0), torch.arange(200) % 3
    scores[torch.arange(200), targets] = 50.0  # right, and all others wrong: nothing is lost
    assert head.loss(scores, targets).item() < 1e-6


def test_what_convolutions_lack_is_refused_in_words() -> None:
    place = Placement(adapted().anatomy)
    with pytest.raises(AnatomyError, match=r"`attn\.in`"):
        place.blocks[0].site("attn.in")
    with pytest.raises(AnatomyError, match="convolutions, in which a token has neighbours"):
        place.insert(place.blocks[0], Patch(8, 2, 8))
