"""Prompts, prefixes, gates and the ladder, each against a few lines that compute it otherwise."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from onlay.config import parse
from onlay.errors import ConfigError
from onlay_baselines.ladder import Rung, Top
from onlay_baselines.prefix import Rows
from onlay_baselines.unipelt import Gate, Gated, GatedRows
from onlay_baselines.vpt import Prompts


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def with_prompts(model, images, prompts, deep):
    """timm's own blocks, with prompts put in by hand; the class token and patches at the end."""
    with model.disabled() as vit:
        x = vit.patch_embed(images)
        x = torch.cat([vit.cls_token.expand(len(x), -1, -1), x], 1) + vit.pos_embed
        for i, block in enumerate(vit.blocks):
            if deep or i == 0:
                own, kept = prompts[i].tokens.expand(len(x), -1, -1), 4 if i else 0
                x = torch.cat([x[:, :1], own, x[:, 1 + kept :]], 1)
            assert x.shape[1] == 1 + 4 + 16
            x = block(x)
        x = vit.norm(x)
        return torch.cat([x[:, :1], x[:, 5:]], 1), x[:, 1:5]


@pytest.mark.parametrize("kind", ["deep", "shallow"])
def test_prompts(kind, adapted, modules, images, tokens):
    model = adapted("vpt", prompts=4, kind=kind)
    others, last = with_prompts(model, images, modules(model, Prompts), kind == "deep")
    same(tokens(model, images), others)
    same(model.features(images).prompts, last)


def test_prompts_start_as_large_as_the_authors_have_them():
    torch.manual_seed(0)
    tokens = Prompts(200, 768, 16, 0.0).tokens
    assert 0.0624 < tokens.abs().max() <= 0.0625


def test_prefix(adapted, modules, by_hand, images, tokens):
    model = adapted("prefix", rows=3)
    same(tokens(model, images), attended(by_hand, model, images, [
        one.rows for one in modules(model, Rows)
    ]))  # fmt: skip


def attended(by_hand, model, images, rows, **more):
    """Keys and values in front of those of the tokens."""
    kept = {}

    def keep(i, y, a):
        kept["qkv"] = more["qkv"](i, y, a) if "qkv" in more else y
        return kept["qkv"]

    def attend(i, y, h):
        q, k, v = kept["qkv"].unflatten(-1, (3, 2, -1)).permute(2, 0, 3, 1, 4)
        own = rows[i](i) if callable(rows[i]) else rows[i].expand(len(q), -1, -1)
        first = own.unflatten(-1, (2, 2, -1)).permute(2, 0, 3, 1, 4)
        k, v = torch.cat([first[0], k], 2), torch.cat([first[1], v], 2)
        weights = (q @ k.transpose(-1, -2) / math.sqrt(8)).softmax(-1)
        with model.disabled() as vit:
            return vit.blocks[i].attn.proj((weights @ v).transpose(1, 2).flatten(2))

    hooks = {**more, "qkv": keep, "attn_out": attend}
    return by_hand(model, images, **hooks)


def test_reparameterised_rows_are_refused_with_the_reason(host):
    with pytest.raises(ConfigError, match="what trains would not be what is saved"):
        parse("method", {"name": "prefix", "stored": "mlp"}, host)


def test_unipelt(adapted, modules, by_hand, images, tokens):
    model = adapted("unipelt", parts="apl", bottleneck=5, rank=2, rows=3)
    own, rows = modules(model, Gated), modules(model, GatedRows)
    read = {}

    def gate(one, x):
        return torch.sigmoid(x @ one.score.weight[0] + one.score.bias).mean(1)[:, None, None]

    def low_rank(i, y, a):
        read[i] = a
        q, v = (gate(g.gate, a) * (a @ g.down.weight.T @ g.up.weight.T) for g in own[3 * i :][:2])
        return y + torch.cat([q, torch.zeros_like(q), v], -1)

    def adapter(i, y, h):
        g = own[3 * i + 2]
        h = (y @ g.down.weight.T + g.down.bias).clamp(min=0)
        return y + gate(g.gate, y) * (h @ g.up.weight.T + g.up.bias)

    prefix = [lambda i, one=one: gate(one.gate, read[i]) * one.rows for one in rows]
    found = attended(by_hand, model, images, prefix, qkv=low_rank, mlp_out=adapter)
    same(tokens(model, images), found)


def test_a_gate_is_the_mean_over_tokens():
    gate = Gate(1, "one")
    torch.nn.init.ones_(gate.score.weight)
    torch.nn.init.zeros_(gate.score.bias)
    x = torch.tensor([[[0.0], [math.log(3)]], [[math.log(3)], [0.0]]])
    same(gate(x).flatten().tolist(), [0.625, 0.625])
    assert gate.figures().values == {"unipelt/one": 0.625}


def test_closed_keys_of_zeros_keep_their_share_of_the_softmax(adapted, modules, by_hand, images):
    keys = torch.zeros(1, 1, 197 + 10, 4)
    values = torch.cat([torch.zeros(1, 1, 10, 4), torch.ones(1, 1, 197, 4)], 2)
    found = F.scaled_dot_product_attention(torch.randn(1, 1, 1, 4), keys, values)
    torch.testing.assert_close(found, torch.full((1, 1, 1, 4), 197 / 207))


def test_ladder(adapted, modules, by_hand, images, tokens):
    model = adapted("ladder", reduction=2)
    rungs, (top,), streams = modules(model, Rung), modules(model, Top), []
    by_hand(model, images, block_out=lambda i, whole, x, m: streams.append(whole) or whole)
    with model.disabled() as vit:
        x = vit.patch_embed(images)
        x = torch.cat([vit.cls_token.expand(len(x), -1, -1), x], 1) + vit.pos_embed
    (lower,) = (m for m in model.adapter.modules()
                if isinstance(m, torch.nn.Linear) and m.weight.shape == (8, 16)
                and not any(m is r.down for r in rungs))  # fmt: skip
    h = lower(x)
    for rung, stream in zip(rungs, streams, strict=True):
        g = 1 / (1 + torch.exp(-rung.alpha / 0.1))
        h = g * h + (1 - g) * rung.down(stream)
        q, k, v = rung.qkv(rung.norm1(h)).unflatten(-1, (3, 2, 4)).permute(2, 0, 3, 1, 4)
        y = ((q @ k.transpose(-1, -2) / 2).softmax(-1) @ v).transpose(1, 2).flatten(2)
        h = h + rung.proj(y)
        h = h + rung.fc2(F.gelu(rung.fc1(rung.norm2(h))))
    same(tokens(model, images), top.up(top.norm(h)))


def test_no_gradient_enters_the_backbone_behind_a_ladder(adapted, images):
    model = adapted("ladder", reduction=2).train()
    seen = []
    for block in model.backbone.blocks:
        block.register_forward_hook(lambda m, a, output: seen.append(output.requires_grad))
    model.loss((images, torch.tensor([0, 1, 2]))).backward()
    assert seen == [False, False]
