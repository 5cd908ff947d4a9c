"""Files of tensors as other people's programs leave them."""

from __future__ import annotations

import argparse
import subprocess
from collections import OrderedDict, defaultdict
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from onlay.errors import BundleError
from onlay.reading.statefile import check_values, plain_names, read_state, unwrapped

STATE = {"fc.weight": torch.arange(4.0).view(2, 2), "fc.bias": torch.ones(2)}


class Settings(dict):
    """As Lightning, yacs and EasyDict keep hyper-parameters: a dict of a class of their own."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.__dict__.update(values)


class Plain:
    def __init__(self) -> None:
        self.lr = 0.1


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(2, 2)
        self.register_buffer("steps", torch.tensor(3))
        self.register_buffer("mask", torch.ones(1), persistent=False)
        self.act = nn.functional.gelu


def same(found: dict[str, Any]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(t, STATE[n]) for n, t in found.items())


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        STATE,
        OrderedDict(STATE),
        {"state_dict": STATE, "hyper_parameters": Settings(lr=0.1), "loops": defaultdict(dict)},
        {
            "model_state_dict": STATE,
            "args": argparse.Namespace(out=Path("x")),
            "best": np.float64(1),
        },
        {"ema": {"module": STATE, "decay": 0.99}, "config": Plain()},
        {**STATE, "epoch": np.int64(3), "history": np.arange(3), "note": "best", "lr": 0.1},
        {"whatever": {f"module.{n}": t for n, t in STATE.items()}, "optimizer": {"state": {}}},
        {"model": {f"_orig_mod.module.{n}": t for n, t in STATE.items()}},
    ],
)
def test_tensors_beside_anything(tmp_path: Path, content: Any, legacy: bool) -> None:
    path = tmp_path / "x.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    assert same(read_state(path))


def test_a_whole_module_gives_its_state_dict(tmp_path: Path) -> None:
    net = Net()
    torch.save({"model": net, "epoch": 2}, tmp_path / "x.pt")
    found = read_state(tmp_path / "x.pt")
    assert found.keys() == net.state_dict().keys()
    assert all(torch.equal(tensor, net.state_dict()[name]) for name, tensor in found.items())


def test_a_module_that_holds_itself_is_refused(tmp_path: Path) -> None:
    net = Net()
    net._modules["again"] = net
    torch.save(net, tmp_path / "x.pt")
    with pytest.raises(BundleError, match="cannot be read as tensors"):
        read_state(tmp_path / "x.pt")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_damaged_file_is_read_or_refused_in_words(tmp_path: Path, legacy: bool) -> None:
    path, random = tmp_path / "x.pt", Random(0)
    content = {"model": STATE, "args": argparse.Namespace(a=np.float64(1)), "x": Plain()}
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    whole = path.read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for _ in range(random.choice((1, 3, 30))):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        path.write_bytes(damaged[: random.choice((len(damaged), random.randrange(len(damaged))))])
        with suppress(BundleError):
            read_state(path)


class Harmful:
    def __reduce__(self) -> Any:
        return subprocess.check_call, (["touch", "ran"],)


class Theirs:
    ran = False

    def __setstate__(self, state: Any) -> None:
        type(self).ran = True


def test_nothing_in_a_file_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model": STATE, "x": Harmful()}, "x.pt")
    with pytest.raises(BundleError, match="or it holds code"):
        read_state(Path("x.pt"))
    assert not Path("ran").exists()
    theirs = Theirs()
    theirs.value = 1
    torch.save({"model": STATE, "x": theirs}, "y.pt")
    assert same(read_state(Path("y.pt")))
    assert not Theirs.ran


def test_torch_knows_no_more_classes_afterwards(tmp_path: Path) -> None:
    torch.save({"model": STATE, "x": Plain()}, tmp_path / "x.pt")
    before = set(torch.serialization.get_safe_globals())
    read_state(tmp_path / "x.pt")
    assert set(torch.serialization.get_safe_globals()) == before


def test_names_of_wrappers_go_at_any_depth_and_module_where_all_have_it() -> None:
    one = torch.zeros(1)
    assert plain_names({"_orig_mod.a._fsdp_wrapped_module.b": one}).keys() == {"a.b"}
    assert plain_names({"module.module.a": one, "module.module.b": one}).keys() == {"a", "b"}
    assert plain_names({"module.a": one, "b": one}).keys() == {"module.a", "b"}


def test_the_prefix_before_what_is_expected() -> None:
    inner = {"a.w": torch.zeros(1), "b.w": torch.ones(1)}
    state = {f"net.encoder.{n}": t for n, t in inner.items()} | {"loss.w": torch.ones(2)}
    found = unwrapped(state, inner, Path("x"))
    assert found.keys() == inner.keys()
    assert torch.equal(found["b.w"], inner["b.w"])
    assert unwrapped(inner, inner, Path("x")).keys() == inner.keys()
    other = {"x.y": torch.ones(1)}
    assert unwrapped(other, inner, Path("x")).keys() == other.keys()


def test_of_two_networks_the_average_or_a_sentence() -> None:
    inner = {"a.w": torch.zeros(1), "b.w": torch.ones(1)}
    two = {f"{each}.{n}": t for each in ("student", "teacher") for n, t in inner.items()}
    assert unwrapped(two, inner, Path("x")).keys() == inner.keys()
    twins = {f"{each}.{n}": t for each in ("left", "right") for n, t in inner.items()}
    with pytest.raises(BundleError, match=r"several networks, under `left\.` and `right\.`"):
        unwrapped(twins, inner, Path("x.pt"))


@pytest.mark.parametrize("content", [[1, 2], {"lr": 0.1}, {0: torch.ones(1)}, 3, {}])
def test_what_holds_no_state_dict(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.bin")
    with pytest.raises(BundleError, match=r"x\.bin` holds no state dict"):
        read_state(tmp_path / "x.bin")


@pytest.mark.parametrize("kept", [True, False])
def test_a_changed_tensor_is_found_where_checksums_are_kept(tmp_path: Path, kept: bool) -> None:
    """torch keeps a checksum of each tensor unless told otherwise, and never looks at it."""
    path = tmp_path / "weights.pt"
    torch.serialization.set_crc32_options(kept)
    try:
        torch.save({"weight": torch.ones(100)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    assert torch.equal(read_state(path)["weight"], torch.ones(100))
    one, two = torch.ones(1).numpy().tobytes(), torch.full((1,), 2.0).numpy().tobytes()
    path.write_bytes(path.read_bytes().replace(one * 100, one * 99 + two))
    if kept:
        with pytest.raises(
            BundleError, match=r"is damaged: the checksum of `.*data/0` in it differs"
        ):
            read_state(path)
    else:
        assert read_state(path)["weight"][99] == 2


@pytest.mark.parametrize(
    ("tensor", "reason"),
    [
        (torch.ones(3, dtype=torch.int8), r"`weight` is torch.int8 and should be torch.float32"),
        (torch.tensor([1.0, float("nan"), 1.0]), "NaN or infinite, in `weight`"),
        (torch.tensor([1.0, float("inf"), 1.0]).half(), "NaN or infinite, in `weight`"),
    ],
)
def test_what_cannot_be_weights(tensor: torch.Tensor, reason: str) -> None:
    own = {"weight": torch.ones(3), "steps": torch.tensor(3)}
    check_values(own, {"weight": torch.ones(3).bfloat16(), "steps": torch.tensor(5)}, Path("a.pt"))
    with pytest.raises(BundleError, match=reason):
        check_values(own, {"weight": tensor, "steps": torch.tensor(5)}, Path("a.pt"))
