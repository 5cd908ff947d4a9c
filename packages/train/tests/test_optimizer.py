from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import nn

import onlay
from onlay.anatomy import BuiltBackbone, Placement
from onlay.anatomy.attachments import Attachments
from onlay.config.train import TrainConfig
from onlay.errors import OnlayError, PluginError
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay.testing import run_checks, tiny_backbone
from onlay_train.checkpoint import gathered, load_optimizer
from onlay_train.ema import Average
from onlay_train.groups import learning_rates, listed, rated
from onlay_train.optimizer import CLASSES, make_optimizer


class Pretender:
    """All that the parameter groups ask of a model."""

    def __init__(self) -> None:
        self.parameters = {
            "adapter.up.weight": nn.Parameter(torch.ones(2, 3)),
            "adapter.scale": nn.Parameter(torch.ones(3)),
            "adapter.token.bias": nn.Parameter(torch.ones(1, 3)),
            "adapter.thawed.cls_token": nn.Parameter(torch.ones(1, 1, 3)),
            "head.fc.weight": nn.Parameter(torch.ones(4, 3)),
            "head.fc.bias": nn.Parameter(torch.ones(4)),
        }

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        return self.parameters

    def no_weight_decay(self) -> set[str]:
        return {"adapter.thawed.cls_token"}


def test_biases_and_vectors_do_not_decay(host: PluginHost) -> None:
    model = Pretender()
    decayed, plain = host.make_param_groups(model, TrainConfig(weight_decay=0.1))
    names = {id(p): name for name, p in model.parameters.items()}
    assert [names[id(p)] for p in decayed["params"]] == ["adapter.up.weight", "head.fc.weight"]
    assert decayed["weight_decay"] == 0.1
    assert [names[id(p)] for p in plain["params"]] == [
        "adapter.scale",
        "adapter.token.bias",
        "adapter.thawed.cls_token",
        "head.fc.bias",
    ]
    assert plain["weight_decay"] == 0.0


def test_everything_decays_where_the_filter_is_off(host: PluginHost) -> None:
    config = TrainConfig(weight_decay=0.1, filter_bias_and_bn=False)
    (group,) = host.make_param_groups(Pretender(), config)
    assert (len(group["params"]), group["weight_decay"]) == (6, 0.1)


class OneNumber:
    """A model of a single weight."""

    def __init__(self, value: float) -> None:
        self.weight = nn.Parameter(torch.tensor([[value]]))

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        return {"head.weight": self.weight}

    def no_weight_decay(self) -> set[str]:
        return set()


def first_step(host: PluginHost, **settings: Any) -> float:
    """Where a weight of 2 is after one step with the gradient -3, at a rate of 0.1."""
    model = OneNumber(2.0)
    config = TrainConfig(**{"lr": 0.1, "weight_decay": 0.5} | settings)
    optimizer = make_optimizer(model, config, host)
    model.weight.grad = torch.tensor([[-3.0]])
    optimizer.step()
    return model.weight.item()


def test_first_steps_by_hand(host: PluginHost) -> None:
    # AdamW's first direction is the gradient's sign; decay takes lr * weight_decay of the weight
    assert first_step(host) == pytest.approx(2.0 * (1 - 0.1 * 0.5) + 0.1, abs=1e-6)
    # Adam adds the decay to the gradient: -3 + 0.5 * 2 is negative still
    assert first_step(host, opt="adam") == pytest.approx(2.1, abs=1e-6)
    # SGD: 0.1 * 2; Nesterov's momentum takes 0.9 of it once more
    assert first_step(host, opt="sgd", momentum=0) == pytest.approx(2.2)
    assert first_step(host, opt="sgd") == pytest.approx(2.0 + 0.1 * 2 * 1.9)
    plain = {"nesterov": False, "dampening": 0}
    assert first_step(host, opt="sgd", opt_kwargs=plain) == pytest.approx(2.2)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_optimizer_of_torch_keeps_the_contract(host: PluginHost, name: str) -> None:
    words = "loss or rates or seed or state"
    assert [o for o in run_checks("optimizer", name, host=host, words=words) if not o.good] == []


def test_a_checkpoint_lets_it_go_on_exactly_with_what_it_keeps_beside(host: PluginHost) -> None:
    """`state_dict` may have more than torch's two keys."""

    class Counting(torch.optim.SGD):
        taken = 0

        def step(self, closure: Any = None) -> None:
            self.taken += 1
            super().step()

        def state_dict(self) -> dict[str, Any]:
            return {**super().state_dict(), "taken": self.taken}

        def load_state_dict(self, state_dict: Any) -> None:
            self.taken = state_dict["taken"]
            super().load_state_dict({k: v for k, v in state_dict.items() if k != "taken"})

    weight = nn.Parameter(torch.ones(1))
    first, second = Counting([weight], lr=0.1), Counting([weight], lr=0.1)
    weight.grad = torch.ones(1)
    first.step()
    load_optimizer(second, gathered(first.state_dict()))
    assert second.taken == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"opt_kwargs": {"amsgard": True}},
            r"opt_kwargs.amsgard`.*no such setting \(have: `betas`",
        ),
        ({"opt_kwargs": {"lr": 0.5}}, r"`lr` is the run's: say `train\.lr`"),
        ({"opt_kwargs": {"weight_decay": 0.5}}, r"`weight_decay` is the run's: say `train\.weight"),
        ({"opt_kwargs": {"eps": -1}}, "does not suit it: ValueError: Invalid epsilon value: -1"),
        ({"opt": "lion"}, "optimizer `lion`.* comes with `onlay-image"),
        ({"opt": "admw"}, "did you mean `adamw`"),
    ],
)
def test_what_does_not_suit_is_told(host: PluginHost, settings: Any, message: str) -> None:
    with pytest.raises(OnlayError, match=message):
        make_optimizer(OneNumber(1.0), TrainConfig(**settings), host)


def test_a_plugin_may_decide_the_optimizer(host: PluginHost) -> None:
    class Deciding:
        @staticmethod
        @onlay.hookimpl
        def make_optimizer(groups: list, config: TrainConfig) -> torch.optim.Optimizer:
            return torch.optim.SGD(groups, lr=config.lr)

    host.add(Deciding(), name="deciding")
    assert isinstance(make_optimizer(OneNumber(1.0), TrainConfig(), host), torch.optim.SGD)


class Grouping:
    """A plugin that decides groups as it was told."""

    def __init__(self, grouped: Any) -> None:
        self.grouped = grouped

    @onlay.hookimpl
    def make_param_groups(self, model: Any) -> Any:
        return self.grouped(list(model.trained_parameters().values()))


@pytest.mark.parametrize(
    ("grouped", "said"),
    [
        (
            lambda ps: [{"params": ps[:4]}],
            r"`head.fc.weight` \(and 1 more\) is trained and in no gr",
        ),
        (
            lambda ps: [{"params": ps}, {"params": ps[0]}],
            "`adapter.up.weight` is in the groups more",
        ),
        (
            lambda ps: [{"params": [*ps, torch.ones(1)]}],
            "hold a tensor that the run does not train",
        ),
        (
            lambda ps: [{"params": ps, "lr": "0.1"}],
            "a group has the `lr` '0.1', which is no number",
        ),
        (lambda ps: [{"params": ps, "lr": -0.1}], "a group has the `lr` -0.1"),
        (lambda ps: [{"params": ps, "lr": torch.tensor(float("nan"))}], "a group has the `lr` nan"),
        (lambda ps: {"params": ps}, "they are no list of mappings with `params`"),
        (lambda ps: [{"tensors": ps}], "they are no list of mappings with `params`"),
        (lambda ps: [], r"`adapter.up.weight` \(and 5 more\) is trained and in no group"),
    ],
)
def test_groups_hold_each_trained_tensor_once(host: PluginHost, grouped: Any, said: str) -> None:
    """What is in none would stay as it started, and the run would say that it trains."""
    host.add(Grouping(grouped), name="grouping")
    whose = "the groups of the plugin `grouping.*make_param_groups"
    with pytest.raises(PluginError, match=f"{whose}.*{said}"):
        make_optimizer(Pretender(), TrainConfig(), host)


def test_what_is_wrong_with_groups_is_charged_to_who_gave_them(host: PluginHost) -> None:
    """The one that is asked first leaves it to the next."""
    host.add(Grouping(lambda ps: [{"params": ps, "lr": -1.0}]), name="second")
    host.add(Grouping(lambda ps: None), name="first")
    with pytest.raises(PluginError, match=r"^the groups of the plugin `second` \(`make_param"):
        make_optimizer(Pretender(), TrainConfig(), host)


def test_groups_may_be_what_torch_takes(host: PluginHost) -> None:
    host.add(Grouping(lambda ps: ({"params": iter(part)} for part in (ps[:2], ps[2:]))), name="g")
    groups = make_optimizer(Pretender(), TrainConfig(), host).param_groups
    assert [len(group["params"]) for group in groups] == [2, 4]


class NeedsClosure(torch.optim.Optimizer):
    """As LBFGS does."""

    def step(self, closure: Any) -> Any:  # type: ignore[override]
        return closure()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda groups: 3, "it is a `int` and no `torch.optim.Optimizer`"),
        (
            lambda groups: torch.optim.SGD(groups[:1]),
            r"` \(and \d more\) is trained and in no group",
        ),
        (lambda groups: NeedsClosure(groups, {}), "needs a closure, and it does not say"),
    ],
)
def test_a_decided_optimizer_steps_every_trained_tensor(
    host: PluginHost, made: Any, said: str
) -> None:
    class Deciding:
        @staticmethod
        @onlay.hookimpl
        def make_optimizer(groups: list) -> Any:
            return made(groups)

    host.add(Deciding(), name="deciding")
    with pytest.raises(PluginError, match=f"the optimizer of the plugin `deciding.*{said}"):
        make_optimizer(Pretender(), TrainConfig(), host)


def test_a_run_in_which_all_is_frozen_is_refused(host: PluginHost) -> None:
    model = OneNumber(1.0)
    model.trained_parameters = dict  # type: ignore[method-assign]
    with pytest.raises(OnlayError, match="there is nothing to train"):
        make_optimizer(model, TrainConfig(), host)


def test_rates_by_depth_and_of_the_head(host: PluginHost) -> None:
    """Two blocks: depth 0 before them, 3 behind them."""
    built = tiny_backbone(depth=2)
    shared = nn.Linear(16, 16, bias=False)

    def place_all(place: Placement) -> None:
        place.rewrite(place.site("tokens.in"), nn.Linear(16, 16, bias=False))
        for block in place.blocks:
            place.rewrite(block.site("mlp.in"), nn.Linear(16, 16, bias=False))
            place.rewrite(block.site("attn.in"), shared)
        place.thaw(place.blocks[0].module.norm2)
        place.thaw(built.module.norm)
        place.thaw(built.module.cls_token)

    model = placed(built, place_all)
    config = TrainConfig(
        lr=1.0, layer_decay=0.5, head_lr=3.0, lr_factors={"*.norm*": 2.0, "*.norm2.bias": 4.0}
    )
    found = learning_rates(model, config)
    assert {name.replace("adapter.", ""): rate for name, rate in found.items()} == {
        "tokens_in.rewrites.0.weight": 0.125,
        "blocks.0.mlp_in.rewrites.0.weight": 0.25,
        "blocks.0.attn_in.rewrites.0.weight": 0.5,  # the last block has it, too
        "blocks.1.mlp_in.rewrites.0.weight": 0.5,
        "thawed.cls_token": 0.125,
        "thawed.blocks.0.norm2.weight": 0.5,
        "thawed.blocks.0.norm2.bias": 1.0,  # the last pattern that fits counts
        "thawed.norm.weight": 2.0,
        "thawed.norm.bias": 2.0,
        "head.weight": 3.0,
        "head.bias": 3.0,
    }
    groups = make_optimizer(model, config, host).param_groups
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [
        (0.125, 0.01), (0.25, 0.01), (0.5, 0.01), (3.0, 0.01),
        (0.5, 0), (1.0, 0), (2.0, 0), (3.0, 0),
    ]  # fmt: skip
    with pytest.raises(
        OnlayError, match=r"`train.lr_factors`: no trained tensor fits `\*gate\*` \("
    ):
        learning_rates(model, TrainConfig(lr_factors={"*gate*": 0.1}))


def test_groups_of_a_plugin_have_the_runs_rates_unless_it_says_one() -> None:
    built = tiny_backbone()
    model = placed(built, lambda place: place.thaw(built.module.norm))
    norm, head = built.module.norm, model.head
    given = [
        {"params": [norm.weight, head.weight], "weight_decay": 0.3},
        {"params": [norm.bias, head.bias], "lr": 5.0},
    ]
    found = rated(given, model, TrainConfig(lr=1.0, head_lr=3.0))
    assert [(g["lr"], g.get("weight_decay"), len(g["params"])) for g in found] == [
        (1.0, 0.3, 1), (3.0, 0.3, 1), (5.0, None, 2),
    ]  # fmt: skip
    as_torch_allows = [{"params": head.weight}, {"params": [("b", head.bias), ("n", norm.bias)]}]
    found = rated(listed(as_torch_allows), model, TrainConfig(lr=1.0, head_lr=3.0))
    assert [(g["lr"], len(g["params"])) for g in found] == [(3.0, 1), (1.0, 1), (3.0, 1)]
    assert found[0]["params"][0] is head.weight


def placed(built: BuiltBackbone, place_all: Callable[[Placement], None]) -> AdaptedModel:
    place, config = Placement(built.anatomy), cast("Any", SimpleNamespace(name="test"))
    place_all(place)
    Attachments.of(built.module).add("default", place.adapter)
    return AdaptedModel(built, place.adapter, nn.Linear(16, 3), method=config, task=config)


def test_the_average_by_hand() -> None:
    live, counter = torch.tensor([1.0]), torch.tensor(3)
    average = Average({"w": live, "n": counter}, decay=0.9)
    live.fill_(2.0)
    counter.fill_(4)
    average.update()
    assert average.state["n"] == 4
    assert average.state["w"].item() == pytest.approx(1.1)
    with average.in_place():
        assert live.item() == pytest.approx(1.1)
    assert live.item() == 2.0
    average.update()
    assert average.state["w"].item() == pytest.approx(1.19)
    average.adopt()
    assert live.item() == pytest.approx(1.19)
