"""Methods with bottlenecks, each against a few lines that compute it otherwise."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from onlay_baselines.adalink import Link
from onlay_baselines.adapter import Bottleneck
from onlay_baselines.adaptformer import ParallelBottleneck
from onlay_baselines.convpass import Bypass
from onlay_baselines.mona import MultiCognitive
from onlay_baselines.pasta import AddToSpecial
from onlay_baselines.repadapter import Grouped


def linear(x, layer):
    return x @ layer.weight.T + (0 if layer.bias is None else layer.bias)


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_adaptformer(adapted, modules, by_hand, images, tokens):
    model = adapted("adaptformer", bottleneck=5, scale=0.7)
    own = modules(model, ParallelBottleneck)

    def beside(i, whole, x, m):
        return whole + 0.7 * linear(linear(x, own[i].down).clamp(min=0), own[i].up)

    same(tokens(model, images), by_hand(model, images, block_out=beside))


def test_houlsby_and_pfeiffer(adapted, modules, by_hand, images, tokens):
    model = adapted("adapter", bottleneck=5, norms=False)
    own = modules(model, Bottleneck)

    def behind(which):
        def add(i, y, *_):
            h = linear(y, own[2 * i + which].down)
            cubic = 0.5 * h * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (h + 0.044715 * h**3)))
            return y + linear(cubic, own[2 * i + which].up)

        return add

    both = {"attn_out": behind(0), "mlp_out": behind(1)}
    same(tokens(model, images), by_hand(model, images, **both))
    assert len(modules(adapted("adapter", kind="pfeiffer", bottleneck=5), Bottleneck)) == 2


def test_houlsbys_start_is_near_the_bare_network_and_may_be_it(adapted, modules):
    near = modules(adapted("adapter", moved=False), Bottleneck)[0]
    assert 0.0005 < near.up.weight.std() < 0.001 < near.down.weight.abs().max() <= 0.002
    other = modules(adapted("adapter", moved=False, kind="pfeiffer"), Bottleneck)[0]
    assert not other.up.weight.any()
    assert other.down.weight.std() > 0.05  # Kaiming's
    exact = modules(adapted("adapter", moved=False, init="zero_up"), Bottleneck)[0]
    assert not exact.up.weight.any()
    assert exact.down.weight.std() > 0.1


def test_houlsby_trains_both_norms_of_each_block(adapted):
    trained = adapted("adapter").trained_parameters()
    norms = [name for name in trained if "norm" in name]
    assert sum(trained[name].numel() for name in norms) == 2 * 4 * 16


def test_convpass(adapted, modules, by_hand, images, tokens):
    model = adapted("convpass", hidden=5, scale=0.7)
    own = modules(model, Bypass)

    def quick(z):
        return z / (1 + torch.exp(-1.702 * z))

    def bypass(which, x):
        h, conv = quick(linear(x, which.down)), which.conv
        cls = h[:, :1] @ conv.weight[..., 1, 1].T
        patches = F.conv2d(h[:, 1:].transpose(1, 2).unflatten(2, (4, 4)), conv.weight, padding=1)
        both = torch.cat([cls, patches.flatten(2).transpose(1, 2)], 1) + conv.bias
        return 0.7 * linear(quick(both), which.up)

    hooks = {
        "mlp_res": lambda i, x, a: x + bypass(own[2 * i], a),
        "block_out": lambda i, whole, x, m: whole + bypass(own[2 * i + 1], m),
    }
    same(tokens(model, images), by_hand(model, images, **hooks))


def test_convpass_starts_as_an_identity_convolution_or_at_random(adapted, modules):
    start = modules(adapted("convpass", moved=False), Bypass)[0].conv.weight
    assert torch.equal(start[..., 1, 1], torch.eye(8, dtype=start.dtype))
    assert start.count_nonzero() == 8
    random = modules(adapted("convpass", moved=False, conv_init="xavier"), Bypass)[0].conv.weight
    assert random.count_nonzero() == 9 * 64


def test_convpass_leaves_whole_inputs_out_in_training_and_keeps_the_mean(adapted, modules):
    bypass = modules(adapted("convpass", moved=False, drop_path=0.25), Bypass)[0].train()
    torch.manual_seed(0)
    kept = bypass._kept(torch.ones(4000, 2, 3))
    assert set(kept.unique().tolist()) == {0.0, (torch.ones(1) / 0.75).item()}
    assert torch.equal(kept, kept[:, :1, :1].expand_as(kept))
    assert abs(kept.mean() - 1) < 0.05


def test_repadapter(adapted, modules, by_hand, images, tokens):
    model = adapted("repadapter", bottleneck=4, scale=0.7)
    own = modules(model, Grouped)

    def before(which):
        def add(i, x):
            one = own[2 * i + which]
            h = linear(x, one.down)
            halves = [h[..., :2] @ one.up[0].T, h[..., 2:] @ one.up[1].T]
            return x + 0.7 * (torch.cat(halves, -1) + one.bias)

        return add

    both = {"attn_in": before(0), "mlp_in": before(1)}
    same(tokens(model, images), by_hand(model, images, **both))


def test_repadapters_sparsity_is_of_norms_and_at_zero_has_no_gradient(adapted, modules):
    one = modules(adapted("repadapter", moved=False, sparsity=2.0), Grouped)[0].train()
    loss = one.auxiliary_loss()
    loss.backward()
    assert loss == 0
    assert not one.up.grad.any()
    with torch.no_grad():
        one.up.fill_(0.0)[0, 0, 0] = 3.0
        one.bias[:2] = torch.tensor([3.0, 4.0])
    assert one.auxiliary_loss() == 2 * (3 + 5)
    assert one.eval().auxiliary_loss() == 0


def test_mona(adapted, modules, by_hand, images, tokens):
    model = adapted("mona", bottleneck=5)
    own = modules(model, MultiCognitive)

    def add(one, x):
        z = linear(F.layer_norm(x, (16,), one.norm.weight, one.norm.bias) * one.gamma
                   + x * one.gamma_x, one.down)  # fmt: skip
        pieces = []
        for part, size in ((z[:, :1].reshape(-1, 5, 1, 1), 1), (z[:, 1:], 4)):
            m = part if size == 1 else part.transpose(1, 2).unflatten(2, (4, 4))
            m = (
                m
                + sum(
                    F.conv2d(m, c.weight, c.bias, padding=c.weight.shape[-1] // 2, groups=5)
                    for c in one.depthwise
                )
                / 3
            )
            m = m + F.conv2d(m, one.mix.weight, one.mix.bias)
            pieces.append(m.flatten(2).transpose(1, 2))
        return x + linear(F.gelu(torch.cat(pieces, 1)), one.up)

    hooks = {
        "mlp_res": lambda i, x, a: add(own[2 * i], x),
        "block_out": lambda i, whole, x, m: add(own[2 * i + 1], whole),
    }
    same(tokens(model, images), by_hand(model, images, **hooks))


def test_adalink(adapted, modules, by_hand, images, tokens):
    for activation, function in (("none", lambda h: h), ("gelu", F.gelu)):
        model = adapted("adalink", rank=5, activation=activation)
        (link,) = modules(model, Link)

        def add(i, x, link=link, function=function):
            return x + linear(function(linear(x, link.down)), link.up)

        same(tokens(model, images), by_hand(model, images, embed=add))


def test_pasta(adapted, modules, by_hand, images, tokens):
    model = adapted("pasta")
    own = modules(model, AddToSpecial)

    def add(i, x):
        x = x.clone()
        x[:, 0] += own[i].vectors[0]
        return x

    same(tokens(model, images), by_hand(model, images, block_in=add))
