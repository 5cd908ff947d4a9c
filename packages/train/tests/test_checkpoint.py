from __future__ import annotations

import errno
import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from onlay.errors import BundleError, PluginError, RunError
from onlay_train.checkpoint import (
    Damaged,
    Sealed,
    gathered,
    load_checkpoint,
    placed_like,
    save_checkpoint,
)


def content(**more: Any) -> dict[str, Any]:
    return {"trained": {"head.fc.bias": torch.ones(2)}, "progress": {"step": 5}, **more}


def test_a_checkpoint_reads_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(content(extra=[1, 2.5, None, "text", {"deep": torch.arange(3)}]), path)
    read = load_checkpoint(path)
    assert read["progress"] == {"step": 5}
    assert read["extra"][:4] == [1, 2.5, None, "text"]
    assert torch.equal(read["extra"][4]["deep"], torch.arange(3))
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def no_space(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(content(), path)
    monkeypatch.setattr("onlay.machine.disk.os.fsync", no_space)
    with pytest.raises(RunError, match=r"last.pt` cannot be written: the disk is full"):
        save_checkpoint(content(progress={"step": 6}), path)
    assert load_checkpoint(path)["progress"] == {"step": 5}
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(content(generators=[torch.arange(50)]), path)
    whole = path.read_bytes()
    for bit in random.Random(0).sample(range(8 * len(whole)), 300):
        broken = bytearray(whole)
        broken[bit // 8] ^= 1 << bit % 8
        path.write_bytes(broken)
        with pytest.raises(Damaged, match="is damaged: delete it to start the run again"):
            load_checkpoint(path)


def test_others_read_a_checkpoint_with_torch_alone(tmp_path: Path) -> None:
    save_checkpoint(content(), tmp_path / "last.pt")
    found = torch.load(tmp_path / "last.pt", weights_only=True)
    assert torch.equal(found["trained"]["head.fc.bias"], torch.ones(2))


def test_the_checkpoint_before_is_kept(tmp_path: Path) -> None:
    path, former = tmp_path / "last.pt", tmp_path / "before-last.pt"
    for step in (5, 6, 7):
        save_checkpoint(content(progress={"step": step}), path, former=former)
    assert load_checkpoint(path)["progress"] == {"step": 7}
    assert load_checkpoint(former)["progress"] == {"step": 6}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "last.pt").symlink_to("pipe")
    with pytest.raises(Damaged, match=r"cannot be read \(it is no plain file\)"):
        load_checkpoint(tmp_path / "last.pt")


def test_broken_weights_are_not_saved(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(content(), path)
    broken = content(trained={"adapter.up": torch.tensor([1.0, torch.inf])})
    with pytest.raises(RunError, match=r"^`adapter.up` is no longer finite at step 5: lower"):
        save_checkpoint(broken, path)
    assert "head.fc.bias" in load_checkpoint(path)["trained"]


def test_what_could_not_be_read_back_is_refused_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"checkpoint key `mine\.thing` holds a `set`"):
        save_checkpoint(content(mine={"thing": {1, 2}}), tmp_path / "last.pt")
    assert not (tmp_path / "last.pt").exists()


class Payload:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_code_in_a_checkpoint_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "last.pt"
    torch.save({"format": 1, "trained": Payload()}, path)
    with pytest.raises(BundleError, match="is no checkpoint of onlay or is damaged"):
        load_checkpoint(path)
    path.write_bytes(pickle.dumps(Payload(), protocol=2))
    with pytest.raises(BundleError, match="is no checkpoint of onlay or is damaged"):
        load_checkpoint(path)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("keep", [0, 100, 700])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(content(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(BundleError, match="is no checkpoint of onlay or is damaged"):
        load_checkpoint(path)


def test_a_newer_checkpoint_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "last.pt").open("wb") as file:
        sealed = Sealed(file)
        torch.save({"format": 9}, sealed)
        sealed.close()
    with pytest.raises(BundleError, match="has checkpoint format 9, this version"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.fixture
def mesh(tmp_path: Path) -> Any:
    from torch.distributed import FileStore, destroy_process_group, init_process_group
    from torch.distributed.device_mesh import init_device_mesh

    init_process_group("gloo", store=FileStore(str(tmp_path / "s"), 1), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    destroy_process_group()


def test_sharded_tensors_are_saved_whole_and_sharded_again(mesh: Any) -> None:
    from torch.distributed.tensor import DTensor, Shard, distribute_tensor

    sharded = distribute_tensor(torch.arange(4.0), mesh, [Shard(0)])
    whole = gathered({"a": [sharded, 3]})["a"][0]
    assert type(whole) is torch.Tensor
    again = placed_like(whole, sharded)
    assert isinstance(again, DTensor)
    assert torch.equal(again.full_tensor(), torch.arange(4.0))
    assert (
        placed_like(torch.tensor(7.0), sharded).shape == ()
    )  # a moment's step counter is not sharded
