"""Training parts that can only be read in their own order: exact from any place, or refused."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from torch.utils.data import IterableDataset

from onlay.batches import stacked
from onlay.config.run import RunConfig
from onlay.data import Splits
from onlay.errors import DataError
from onlay.host import PluginHost
from onlay_train.loaders import train_loader
from onlay_train.run import train
from onlay_train.sampler import Plan, PositionedSampler
from onlay_train.signals import Stopped

Configure = Callable[..., RunConfig]


class Live(IterableDataset[Any]):
    """Items of a part, in another order each epoch, that cannot be asked for."""

    def __init__(self, part: Any) -> None:
        self.part, self.epoch, self.place = part, 0, 0

    def __iter__(self) -> Iterator[Any]:
        order = random.Random(self.epoch).sample(range(len(self.part)), len(self.part))
        return (self.part[index] for index in order[self.place :])


class Flow(Live):
    """The same, from any place."""

    def __len__(self) -> int:
        return len(self.part)

    def seek(self, epoch: int, position: int) -> None:
        self.epoch, self.place = epoch, position


class Counted(torch.utils.data.Dataset[Any]):
    """Each item is its index and a number by chance."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.rand(1), index


def streamed(
    monkeypatch: pytest.MonkeyPatch, host: PluginHost, kind: type, part: str = "train"
) -> None:
    """`stripes` with one part as a stream."""
    own = host.load("dataset", "stripes", "build")

    def build(*given: Any) -> Splits:
        splits: Any = own(*given)
        return replace(splits, **{part: kind(getattr(splits, part))})

    load = host.load
    monkeypatch.setattr(
        host, "load", lambda *words: build if words[0] == "dataset" else load(*words)
    )


def weights(config: RunConfig) -> dict[str, bytes]:
    tensors = load_file(config.out / "bundle" / "adapter_model.safetensors")
    return {name: tensor.numpy().tobytes() for name, tensor in tensors.items()}


def test_a_stopped_run_on_a_stream_ends_like_an_undisturbed_one(
    configure: Configure,
    host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped in the second epoch, and with a loader's process from there on."""
    streamed(monkeypatch, host, Flow)
    few = ("train.epochs=2", "train.grad_accum_steps=2")
    undisturbed, stopped = configure(*few, out="a"), configure(*few, out="b")
    train(undisturbed, host, console=quiet)
    monkeypatch.setenv("STRIPES_KILL_AT", "45")
    monkeypatch.setenv("STRIPES_SIGNAL", str(int(signal.SIGTERM)))
    with pytest.raises(Stopped):
        train(stopped, host, console=quiet)
    monkeypatch.delenv("STRIPES_KILL_AT")
    with_process = stopped.train.model_copy(update={"num_workers": 2})
    train(stopped.model_copy(update={"train": with_process}), host, console=quiet)
    assert weights(stopped) == weights(undisturbed)


@pytest.mark.parametrize("offset", [0, 4])
def test_processes_share_the_items_in_their_order(offset: int) -> None:
    """Two processes with batches of two see, of the order 0 to 9, four items a step."""
    plan = Plan(size=10, batch_size=2, world=2)
    order = [Flow(Counted())]
    order[0].seek(3, 0)
    wanted = [target for _, target in order[0]][offset:]
    found: list[list[tuple[float, int]]] = []
    for rank in range(2):
        sampler = PositionedSampler(plan, rank)
        sampler.epoch, sampler.offset = 3, offset
        loader = train_loader(
            Flow(Counted()), sampler, workers=rank, device=torch.device("cpu"), collate=stacked
        )
        assert len(loader) == len(list(plan.slices(rank, offset)))
        batches = [zip(x[:, 0].tolist(), y.tolist(), strict=True) for x, y in loader]
        found.append([pair for batch in batches for pair in batch])
    steps = range(0, len(wanted) // 2, 2)
    dealt = [pair for step in steps for own in found for pair in own[step : step + 2]]
    assert [target for _, target in dealt] == wanted[: len(dealt)]
    assert len({value for value, _ in dealt}) == len(dealt), "each item has a seed of its own"


def test_an_epoch_that_is_shorter_than_it_says_is_named() -> None:
    class Short(Flow):
        def __len__(self) -> int:
            return 12

    sampler = PositionedSampler(Plan(size=12, batch_size=3))
    loader = train_loader(Short(Counted()), sampler, workers=0, device=torch.device("cpu"))
    with pytest.raises(DataError, match=r"ended after 10 items, and its `len\(\)` is 12"):
        list(loader)


@pytest.mark.parametrize(
    ("kind", "part", "told"),
    [
        (Live, "train", "the training part of `stripes` can only be read in its own order, and a"),
        (Flow, "test", "the test part of `stripes` can only be read in its own order, and every"),
    ],
)
def test_what_cannot_go_on_is_refused(
    configure: Configure,
    host: PluginHost,
    quiet: Console,
    monkeypatch: pytest.MonkeyPatch,
    kind: type,
    part: str,
    told: str,
) -> None:
    streamed(monkeypatch, host, kind, part)
    with pytest.raises(DataError, match=told):
        train(configure(), host, console=quiet)


def test_folds_of_a_stream_are_refused(
    configure: Configure, host: PluginHost, quiet: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed(monkeypatch, host, Flow)
    with pytest.raises(DataError, match="in their own order, and folds are dealt by index"):
        train(configure("fold.of=2"), host, console=quiet)
