"""A method that is held to the last blocks: what it is given, what it says, what is written."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

import onlay
from onlay.anatomy.depths import first_acted
from onlay.config import parse
from onlay.errors import AnatomyError, ConfigError
from onlay.methods.config import BitFitConfig
from onlay.testing import tiny_backbone, tiny_pyramid


def adapted(built, **settings):
    return onlay.adapt(built, settings, num_classes=3)


def test_full_fine_tuning_of_the_last_block_and_what_comes_behind():
    # a block of width 16: norms 64, qkv 816, proj 272, MLP 544 + 528; the last norm 32
    model = adapted(tiny_backbone(depth=3), name="full", last_blocks=1)
    assert model.trainable_report().other == 2224 + 32
    names = [swap.path for swap in model.adapter.swaps]
    assert all(name.startswith(("blocks.2.", "norm.")) for name in names)
    assert len(names) == 14


def test_a_map_between_two_stages_lies_before_the_second():
    model = adapted(tiny_pyramid(), name="bitfit", last_blocks=1)
    assert first_acted(model.adapter) == (3, "blocks.2.attn.proj.bias")
    assert "merge.reduction.bias" not in [swap.path for swap in model.adapter.swaps]


def test_layouts_and_copies_follow_the_whole_backbone(tmp_path):
    model = adapted(tiny_backbone(depth=3), name="bitfit", last_blocks=2).eval()
    inputs = model.anatomy.example(2)
    with torch.no_grad():
        next(iter(model.trained_parameters().values())).add_(1)
        expected = model(inputs)
        assert torch.equal(copy.deepcopy(model)(inputs), expected)
    folder = model.save_pretrained(tmp_path / "bundle")
    back = onlay.load(folder, backbone=tiny_backbone(depth=3)).eval()
    assert back.method.last_blocks == 2
    assert torch.equal(back(inputs), expected)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "bitfit", "last_blocks": 3}, "is more than the 2 blocks of the backbone"),
        ({"name": "bitfit", "last_blocks": 0}, "method.last_blocks: "),
    ],
)
def test_refused_in_words(settings, words):
    with pytest.raises((AnatomyError, ConfigError), match=words):
        adapted(tiny_backbone(), **settings)


def test_statistics_before_the_blocks_are_refused():
    built = tiny_backbone()
    built.module.embed = torch.nn.Sequential(built.module.embed, torch.nn.BatchNorm2d(16))
    built.anatomy.freeze_bn = False
    with pytest.raises(AnatomyError, match=r"num_batches_tracked` lies before the blocks"):
        adapted(built, name="bitfit", last_blocks=1)


def test_settings_without_it_are_what_they_were():
    host = onlay.PluginHost.discover()
    plain, same = BitFitConfig(), parse("method", "bitfit", host)
    assert plain == same == plain
    assert hash(plain) == hash(same)
    assert plain.model_dump(mode="json") == same.model_dump(mode="json")
    held = parse("method", {"name": "bitfit", "last_blocks": 1}, host)
    assert held != plain
    assert isinstance(held, BitFitConfig)
    assert pickle.loads(pickle.dumps(held)) == held == copy.deepcopy(held)
    assert held.model_dump(mode="json") == {"name": "bitfit", "last_blocks": 1, "$v": 1}
    assert parse("method", held.model_dump(mode="json"), host) == held
