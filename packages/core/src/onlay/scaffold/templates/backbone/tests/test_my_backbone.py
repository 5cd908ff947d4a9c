"""The anatomy tells the truth: sites are where they say, features are the network's own."""

from pathlib import Path

import pytest
import torch
from onlay.errors import BundleError

from onlay_my_backbone import config
from onlay_my_backbone.build import adopt, build

SMALL = config.MyBackboneConfig(img_size=16, width=16, depth=2, heads=2)


def test_features_are_the_networks_own_tokens() -> None:
    built = build(SMALL)
    images = built.anatomy.example(2)
    features, tokens = built.anatomy.encode(images), built.module(images)
    assert tokens.shape == (2, 1 + 2 * 2, 16)  # 16 pixels are two patches of 8
    assert torch.equal(features.patches, tokens[:, 1:])
    assert features.cls is not None
    assert torch.equal(features.cls, tokens[:, 0])


def test_weights_are_read_from_a_file(tmp_path: Path) -> None:
    first = build(SMALL).module
    with torch.no_grad():
        first.get_parameter("norm.bias").fill_(0.25)
    torch.save(first.state_dict(), tmp_path / "weights.pt")
    again = build(SMALL.model_copy(update={"weights": tmp_path / "weights.pt"}))
    assert torch.equal(again.module.get_parameter("norm.bias"), torch.full((16,), 0.25))


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"norm.bias": torch.zeros(16)}, tmp_path / "weights.pt")
    with pytest.raises(BundleError, match=r"`blocks.0.attn.proj.bias` is missing"):
        build(SMALL.model_copy(update={"weights": tmp_path / "weights.pt"}))


def test_a_network_that_is_already_there_is_adopted() -> None:
    network = build(SMALL).module
    built = adopt(network)
    assert built is not None
    assert built.module is network
    assert adopt(torch.nn.Linear(2, 2)) is None
