"""Methods that change weights, each against a few lines that compute it otherwise."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from onlay.config import parse
from onlay.errors import ConfigError
from onlay.model.depths import depths
from onlay_baselines.config.weights import DynamicRankConfig
from onlay_baselines.dynamic_rank import Allotment, Parts, closed
from onlay_baselines.fact import Ends
from onlay_baselines.ia3 import Scale
from onlay_baselines.lora import LowRank
from onlay_baselines.metatt import Train
from onlay_baselines.shared_factors import Update
from onlay_baselines.spectrum import Modulated, order_of
from onlay_baselines.ssf import ScaleShift

MAPS = ("qkv", "proj", "fc1", "fc2")


def same(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def by_map(model, kind):
    """The adapter's modules of one class, by block and map."""
    words = {"qkv_out": "qkv", "attn.proj": "proj", "fc1_out": "fc1", "mlp_out": "fc2"}
    words |= {"mlp.fc1": "fc1", "mlp.fc2": "fc2"}  # of modules in the place of maps
    named = {n: m for n, m in model.adapter.named_modules() if isinstance(m, kind)}
    return {
        (i, word): m
        for n, m in named.items()
        for i in range(2)
        for at, word in words.items()
        if f"blocks.{i}.{at}" in n
    }


def changed(by_hand, model, images, change):
    """The network with `change(block, map, x)` added to what each map gives."""
    hooks = {
        "qkv": lambda i, y, a: y + change(i, "qkv", a),
        "attn_out": lambda i, y, h: y + change(i, "proj", h),
        "fc1": lambda i, y, m: y + change(i, "fc1", m),
        "mlp_out": lambda i, y, h: y + change(i, "fc2", h),
    }
    return by_hand(model, images, **hooks)


def test_lora_on_q_and_v(adapted, modules, by_hand, images, tokens):
    model = adapted("lora", rank=2, alpha=6.0)
    own = modules(model, LowRank)

    def add(i, y, a):
        q, v = (3.0 * (a @ one.down.T) @ one.up.T for one in own[2 * i : 2 * i + 2])
        return y + torch.cat([q, torch.zeros_like(q), v], -1)

    same(tokens(model, images), by_hand(model, images, qkv=add))


def test_lora_on_every_map_rank_stabilised(adapted, modules, by_hand, images, tokens):
    model = adapted("lora", rank=4, targets=list(MAPS), rank_stabilized=True, alpha=3.0)
    own = by_map(model, LowRank)

    def add(i, name, x):
        return 1.5 * x @ own[i, name].down.T @ own[i, name].up.T

    same(tokens(model, images), changed(by_hand, model, images, add))


def test_a_map_is_updated_once(host):
    for targets in (["q", "qkv"], ["v", "v"], []):
        with pytest.raises(ConfigError, match="`targets`"):
            parse("method", {"name": "lora", "targets": targets}, host)


def test_ssf(adapted, modules, by_hand, images, tokens):
    model = adapted("ssf")
    own = {name: m for name, m in model.adapter.named_modules() if isinstance(m, ScaleShift)}
    order = ["attn_in", "qkv_out", "attn_out", "mlp_in", "fc1_out", "mlp_out"]

    def at(place):
        def act(i, y, *_):
            one = own[f"{place.format(i)}.rewrites.0"]
            return y * one.scale + one.shift

        return act

    hooks = {name.replace("qkv_out", "qkv").replace("fc1_out", "fc1"): at(f"blocks.{{}}.{name}")
             for name in order}  # fmt: skip
    hooks |= {"embed": at("embed_out"), "norm": at("norm_out")}
    same(tokens(model, images), by_hand(model, images, **hooks))


def test_ia3(adapted, modules, by_hand, images, tokens):
    model = adapted("ia3")
    own = modules(model, Scale)

    def keys_and_values(i, y, a):
        ones = torch.ones_like(own[3 * i].scale)
        return y * torch.cat([ones, own[3 * i].scale, own[3 * i + 1].scale])

    hooks = {"qkv": keys_and_values, "fc2_in": lambda i, h: h * own[3 * i + 2].scale}
    same(tokens(model, images), by_hand(model, images, **hooks))


def test_fact_as_a_tensor_train(adapted, modules, by_hand, images, tokens):
    model = adapted("fact", rank=3, scale=0.7)
    (ends,), own = modules(model, Ends), by_map(model, Update)

    def add(i, name, x):
        sigma = own[i, name].core()
        if name == "fc2":
            h = torch.cat([piece @ ends.first for piece in x.chunk(4, -1)], -1) @ sigma
            return 0.7 * h @ ends.last
        h = x @ ends.first @ sigma
        count = {"qkv": 3, "proj": 1, "fc1": 4}[name]
        return 0.7 * torch.cat([piece @ ends.last for piece in h.chunk(count, -1)], -1)

    same(tokens(model, images), changed(by_hand, model, images, add))


def test_fact_in_tuckers_form_has_the_columns_in_their_order(adapted, modules):
    model = adapted("fact", rank=3, kind="tk")
    (ends,), own = modules(model, Ends), by_map(model, Update)
    assert ends.mixing.shape == (3, 24)
    columns = [sum(ends.tucker[:, :, j] * ends.mixing[j, m] for j in range(3)) for m in range(24)]
    same(own[1, "qkv"].core(), torch.cat(columns[12:15], 1))
    same(own[1, "proj"].core(), columns[15])
    same(own[1, "fc1"].core(), torch.cat(columns[16:20], 1))
    same(own[1, "fc2"].core(), torch.cat(columns[20:24], 1).T)


@pytest.mark.parametrize("method", ["fact", "metatt"])
def test_shared_factors_are_once_in_a_bundle(method, adapted):
    state = adapted(method, rank=3).trained_state()
    assert len([name for name in state if name.endswith(("first", "last"))]) == 2


def test_metatt(adapted, modules, by_hand, images, tokens):
    model = adapted("metatt", rank=3, targets=["q", "v"], alpha=0.7)
    (train,) = modules(model, Train)

    def add(i, y, a):
        q, v = (
            0.7 * a @ train.first @ train.layers[i] @ train.kinds[m] @ train.last for m in (0, 1)
        )
        return y + torch.cat([q, torch.zeros_like(q), v], -1)

    same(tokens(model, images), by_hand(model, images, qkv=add))


def test_all_ones_of_rank_two_give_eight_alpha(adapted, modules):
    model = adapted("metatt", rank=2, alpha=0.5)
    (train,) = modules(model, Train)
    with torch.no_grad():
        for core in train.parameters():
            core.fill_(1.0)
    found = modules(model, Update)[0].affine().weight
    assert torch.equal(found, torch.full((16, 16), 4.0).double())


def test_metatts_first_core_alone_moves_at_first(adapted, modules):
    model = adapted("metatt", rank=3, moved=False).train()
    (train,) = modules(model, Train)
    batch = torch.randn(4, 3, 32, 32).double(), torch.tensor([0, 1, 2, 0])
    model.loss(batch).backward()
    assert train.first.grad.any()
    assert not any(core.grad.any() for core in (train.layers, train.kinds, train.last))


def test_spectrum(adapted, modules, by_hand, images, tokens):
    model = adapted("spectrum", rank=4, alpha=6.0, targets=["proj", "fc1", "fc2"])
    own = by_map(model, Modulated)

    def add(i, name, x):
        if name == "qkv":
            return 0.0
        one = own[i, name]
        weight = one.twin[0].weight
        delta = torch.zeros_like(weight)
        halves = zip(one.rows.chunk(2), one.columns.chunk(2), one.up, one.down, strict=True)
        for rows, columns, up, down in halves:
            delta[rows[:, None], columns] = 1.5 * up @ down * weight[rows[:, None], columns]
        return x @ delta.T

    same(tokens(model, images), changed(by_hand, model, images, add))


def test_the_order_of_a_spectrum():
    rows, columns = order_of(torch.tensor([[0.0, 1.0], [3.0, 0.0]]))
    assert (rows.tolist(), columns.tolist()) == ([1, 0], [0, 1])
    rows, columns = order_of(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert (rows.tolist(), columns.tolist()) == ([1, 0], [1, 0])


def test_a_spectrum_of_one_part_multiplies_in_its_order():
    one = Modulated.__new__(Modulated)
    torch.nn.Module.__init__(one)
    layer = torch.nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    one.twin, one.scale = [layer], 1.0
    one.rows, one.columns = order_of(layer.weight.detach())
    one.up = [torch.tensor([[1.0], [1.0]])]
    one.down = [torch.tensor([[1.0, 2.0]])]
    assert one.change().tolist() == [[2.0, 2.0], [6.0, 4.0]]


def test_importance_by_hand():
    parts = Parts(2, 2, Allotment(DynamicRankConfig(rank=1)))
    with torch.no_grad():
        parts.down.copy_(torch.eye(2))
        parts.up.copy_(torch.eye(2))
        parts.gates.copy_(torch.tensor([2.0, 1.0]))
    torch.testing.assert_close(parts.now().tolist(), [0.8944, 0.4472], rtol=0, atol=1e-4)


def test_closed_parts_follow_a_cubic_to_a_third():
    config = DynamicRankConfig()
    assert [closed(576, config, p) for p in (0.25, 0.5, 0.75, 1.0)] == [3, 24, 81, 192]


def test_parts_close_while_training_and_stay_closed(adapted, modules):
    model = adapted("dynamic_rank", rank=2, moved=False, every=1, dropout=0.0).train().float()
    (allotment,), total = modules(model, Allotment), 20
    optimizer = torch.optim.Adam(model.trained_parameters().values(), lr=0.05)
    torch.manual_seed(0)
    batch = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0])
    open_parts = []
    for step in range(1, total + 1):
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
        model.after_step(step, total)
        open_parts.append(sum(int(each.open.sum()) for each in modules(model, Parts)))
    assert open_parts[:2] == [24, 24]
    assert open_parts[9:] == [16] * 11
    assert allotment.final
    for each in modules(model, Parts):
        assert not each.gates[~each.open].any()
    assert allotment.auxiliary_loss() == 0


def test_an_average_of_weights_opens_no_part_again(adapted, modules):
    """It holds gates from before they were closed."""
    model = adapted("dynamic_rank", rank=2, moved=False, every=1, dropout=0.0).eval().float()
    (allotment,) = modules(model, Allotment)
    model.after_step(20, 20)
    assert allotment.final
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        expected = model(images)
        for each in modules(model, Parts):
            each.gates.masked_fill_(~each.open, 0.5)
            update = each.affine().weight
            torch.testing.assert_close(
                update,
                each.scale * (each.up[:, each.open] * each.gates[each.open]) @ each.down[each.open],
            )
        assert torch.equal(model(images), expected)


def test_a_part_that_was_closed_may_be_open_at_the_next_choice(adapted, modules):
    """Between two choices closed gates grow again from 0; behind the last one they stay there."""
    model = adapted("dynamic_rank", rank=2, moved=False, every=10, dropout=0.0).train().float()
    (allotment,), total = modules(model, Allotment), 100
    parts = modules(model, Parts)
    model.after_step(40, total)  # a choice that is not the last one
    assert not allotment.final
    shut = [each for each in parts if not each.open.all()]
    assert shut
    assert all(not each.gates[~each.open].any() for each in shut)
    torch.manual_seed(0)
    model.loss((torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 0]))).backward()
    assert all(each.gates.grad[~each.open].any() for each in shut)
    with torch.no_grad():
        for each in parts:
            each.gates[~each.open] = 5.0
    model.after_step(41, total)  # no choice: they are left alone
    assert all((each.gates[~each.open] == 5.0).all() for each in shut)
    for each in parts:
        each.importance.copy_(each.gates.detach().abs())
    model.after_step(50, total)
    assert allotment.final
    assert all(each.open[each.gates.abs() > 4].all() for each in shut)


def test_layers_decay_by_the_block_of_each_map(adapted):
    model = adapted("dynamic_rank", rank=2)
    found = {name: depth for name, depth in depths(model).items() if "gates" in name}
    assert {(name.split("blocks.")[1][0], depth) for name, depth in found.items()} == {
        ("0", 1),
        ("1", 2),
    }


def test_norm_tuning_trains_norms_alone(adapted):
    trained = adapted("norm_tuning").trained_parameters()
    own = [name for name in trained if name.startswith("adapter.")]
    assert len(own) == 10
    assert all("norm" in name for name in own)


def test_dropout_is_on_what_updates_read(adapted, modules):
    one = modules(adapted("lora", rank=2, dropout=0.5), LowRank)[0].train()
    torch.manual_seed(3)
    x = torch.ones(1, 1, 16).double()
    found = one(x)
    torch.manual_seed(3)
    expected = F.dropout(x, 0.5) @ one.down.T @ one.up.T * one.scale
    same(found, expected)
