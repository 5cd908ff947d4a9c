"""Deep prompts by their formula: a loop over blocks, written by hand."""

import torch

import onlay
from onlay.testing import tiny_backbone


def test_every_block_sees_its_own_prompts_and_no_others() -> None:
    torch.manual_seed(0)
    method = {"name": "deep_prompts", "prompts": 3}
    model = onlay.adapt(tiny_backbone(depth=3), method, num_classes=2).eval()
    images = model.anatomy.example(2)
    features = model.anatomy.encode(images, inserted=model.adapter.tokens)
    prompts = [p.expand(2, -1, -1) for p in model.adapter.parameters()]
    assert [tuple(p.shape) for p in prompts] == [(2, 3, 16)] * 3
    with model.disabled() as bare:
        x = torch.cat([bare.cls_token.expand(2, -1, -1), bare.patches(images)], dim=1)
        for own, block in zip(prompts, bare.blocks, strict=True):
            x = block(torch.cat([x[:, :1], own, x[:, 1:]], dim=1))
            x = torch.cat([x[:, :1], x[:, 4:]], dim=1)
        x = bare.norm(x)
    torch.testing.assert_close(features.cls, x[:, 0])
    torch.testing.assert_close(features.patches, x[:, 1:])
    assert features.prompts.shape == (2, 0, 16)


def test_prompts_are_as_large_as_patches() -> None:
    """Uniform within (6 / (inputs + outputs)) ** 0.5, both the width: (3 / 16) ** 0.5."""
    torch.manual_seed(0)
    method = {"name": "deep_prompts", "prompts": 200}
    model = onlay.adapt(tiny_backbone(), method, num_classes=2)
    assert model.trainable_report().method == 2 * 200 * 16
    for prompts in model.adapter.parameters():
        assert 0.43 < prompts.abs().max() <= 0.4331
        assert abs(prompts.std() - 0.25) < 0.01  # 0.433 / 3 ** 0.5
