"""Mixed batches and balanced epochs: what is mixed is a function of its place, stop or no stop."""

from __future__ import annotations

import signal
import types
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from onlay import hookimpl
from onlay.config.run import RunConfig
from onlay.config.train import TrainConfig
from onlay.descriptors import Modality
from onlay.errors import ConfigError, DataError
from onlay.host import PluginHost
from onlay_train.balance import balanced_order, classes_of
from onlay_train.mixing import Mixing, mixing_of
from onlay_train.run import train
from onlay_train.sampler import Plan, PositionedSampler
from onlay_train.signals import Stopped

Configure = Callable[..., RunConfig]
MIXED = (
    "train.mixup=0.4",
    "train.cutmix=1",
    "train.mixup_prob=0.8",
    "train.grad_accum_steps=2",
    "task.class_weights=[1,2,3,1]",
    "task.label_smoothing=0.1",
    "train.sampler=balanced",
)


def blend(inputs: Any, targets: Any, alpha: float) -> Any:
    share = torch.distributions.Beta(alpha, alpha).sample()
    return tuple(share * x + (1 - share) * x.roll(1, 0) for x in (inputs, targets))


@pytest.fixture
def mixing_host(host: PluginHost, monkeypatch: pytest.MonkeyPatch) -> PluginHost:
    """With a modality whose batches can be mixed, and stripes that tell their classes."""
    plugin = types.ModuleType("blending")
    mixes = dict.fromkeys(("mixup", "cutmix"), f"{__name__}:blend")
    plugin.register_modalities = hookimpl(  # type: ignore[attr-defined]
        lambda: [
            Modality(
                name="image",
                reader="x:y",
                suffixes=frozenset({".x"}),
                summary="stripes",
                mixes=mixes,
            )
        ]
    )
    assert host.add(plugin, name="blending", version="1.0").reason == ""
    stripes = type(host.load("dataset", "stripes", "build")(
        host.find("dataset", "stripes").config(), {}, 0
    ).train)  # fmt: skip
    monkeypatch.setattr(
        stripes, "targets", property(lambda self: [i % 4 for i in range(self.size)]), raising=False
    )
    return host


def weights(config: RunConfig) -> dict[str, bytes]:
    assert config.out is not None
    tensors = load_file(config.out / "bundle" / "adapter_model.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_a_stopped_run_that_mixes_ends_like_an_undisturbed_one(
    configure: Configure,
    mixing_host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    undisturbed, stopped = configure(*MIXED, out="a"), configure(*MIXED, out="b")
    train(undisturbed, mixing_host, console=quiet)
    monkeypatch.setenv("STRIPES_KILL_AT", "41")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(stopped, mixing_host, console=quiet)
    monkeypatch.delenv("STRIPES_KILL_AT")
    train(stopped, mixing_host, console=quiet)
    assert weights(stopped) == weights(undisturbed)
    plain = configure(*MIXED[3:], out="c")
    train(plain, mixing_host, console=quiet)
    assert weights(plain) != weights(undisturbed)


def made(**settings: Any) -> Mixing:
    config = TrainConfig(**settings)
    names = [name for name in ("mixup", "cutmix") if getattr(config, name)]
    soft = torch.nn.functional.one_hot
    ways = {n: lambda x, t, alpha, n=n: (n, t) for n in names}
    return Mixing(config, ways, lambda targets: soft(targets, 3).float())


def names_of(mixing: Mixing, epoch: int = 0, count: int = 400) -> list[str]:
    batches = [("as it is", torch.tensor([0, 2]))] * count
    return [name for name, _ in mixing.of(batches, epoch, range(count))]


def test_shares_of_the_ways_to_mix() -> None:
    counted = Counter(names_of(made(mixup=0.8, cutmix=1, mixup_prob=0.5, mixup_switch_prob=0.2)))
    assert counted["as it is"] == pytest.approx(200, abs=40)
    assert counted["cutmix"] == pytest.approx(40, abs=25)
    assert set(names_of(made(cutmix=1))) == {"cutmix"}
    late = made(mixup=1, mixup_off_epoch=2)
    assert set(names_of(late, epoch=1)) == {"mixup"}
    assert set(names_of(late, epoch=2)) == {"as it is"}


def test_what_is_mixed_is_a_function_of_seed_epoch_and_place() -> None:
    both = {"mixup": 1, "cutmix": 1}
    whole = names_of(made(**both))
    batches = [("as it is", torch.tensor([0]))] * 100
    assert [name for name, _ in made(**both).of(batches, 0, range(300, 400))] == whole[300:]
    assert whole != names_of(made(**both), epoch=1)
    assert whole != names_of(made(**both, seed=1))


def test_chance_elsewhere_is_left_alone() -> None:
    before = torch.get_rng_state()
    names_of(made(mixup=1), count=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_what_cannot_be_mixed_is_refused(
    configure: Configure, host: PluginHost, mixing_host: PluginHost, quiet: Console
) -> None:
    modality = mixing_host.find("modality", "image")
    object.__setattr__(modality, "mixes", {"cutmix": f"{__name__}:blend"})
    with pytest.raises(ConfigError, match=r"`train\.mixup` cannot .* `image` \(have: `cutmix`\)"):
        train(configure("train.mixup=1"), mixing_host, console=quiet)


def test_a_task_that_takes_no_shares_of_classes_is_refused(mixing_host: PluginHost) -> None:
    built = types.SimpleNamespace(modality="image")
    task = types.SimpleNamespace(name="part_segmentation")
    model: Any = types.SimpleNamespace(built=built, task=task, head=object())
    with pytest.raises(ConfigError, match=r"`train\.mixup` mixes targets, too, .*`part_segm"):
        mixing_of(model, TrainConfig(mixup=1), mixing_host)
    assert mixing_of(model, TrainConfig(), mixing_host) is None


def test_every_class_comes_equally_often_and_its_samples_go_round() -> None:
    """Nine of class 0, two of class 1, one of class 2: four of each."""
    classes = [0] * 9 + [1] * 2 + [2]
    order = balanced_order(classes, np.random.default_rng(0))
    assert Counter(classes[i] for i in order) == {0: 4, 1: 4, 2: 4}
    counts = Counter(order.tolist())
    assert [counts[9], counts[10], counts[11]] == [2, 2, 4]
    assert max(counts[i] for i in range(9)) == 1
    assert Counter(
        Counter(classes[i] for i in balanced_order(classes[:11], np.random.default_rng(s)))[0]
        for s in range(20)
    ).keys() == {5, 6}


def test_a_repeated_sample_is_another_key() -> None:
    plan = Plan(size=4, batch_size=2, classes=[0, 0, 0, 1])
    keys = [key for batch in PositionedSampler(plan) for key in batch]
    assert sorted(k for k in keys if k[1] == 3) == [(0, 3), (0, 3, 1)]
    assert len(set(keys)) == 4


def test_a_part_that_does_not_tell_its_classes_is_refused() -> None:
    with pytest.raises(DataError, match=r"`train\.sampler: balanced` needs one class"):
        classes_of([1, 2, 3])
