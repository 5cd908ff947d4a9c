"""Members of tars: found once, read from any place, and what is wrong in one sentence."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable, Mapping
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import pytest

from onlay.data import Blocks
from onlay.errors import DataError
from onlay.reading import tar_index, tars
from onlay.reading.blocks import blocks_of
from onlay.reading.tars import Shard

LONG = f"{'folder/' * 40}name.jpg"
"""Longer than the 100 bytes that the oldest header has room for."""


def write(path: Path, members: Mapping[str, bytes], *, form: int = tarfile.GNU_FORMAT) -> Path:
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in members.items():
            add(tar, name, content)
    return path


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def contents(path: Path) -> dict[str, bytes]:
    return {name: member.read() for name, member in Shard.of(path).members()}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_member_is_read_from_its_place(form: int, tmp_path: Path) -> None:
    """Long names, an empty one, one that fills its blocks, letters beyond ASCII."""
    wanted = {"./a.jpg": b"first", LONG: b"x" * 512, "ü.cls": b"", "b/c.jpg": b"y" * 1000}
    found = contents(write(tmp_path / "a.tar", wanted, form=form))
    assert found == {name.removeprefix("./"): content for name, content in wanted.items()}


def test_links_are_what_they_lead_to(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        add(tar, "d/a.jpg", b"one")
        for name, kind, target in (
            ("hard.jpg", tarfile.LNKTYPE, "d/a.jpg"),
            ("e/soft.jpg", tarfile.SYMTYPE, "../d/a.jpg"),
        ):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            tar.addfile(link)
        tar.addfile(folder := tarfile.TarInfo("d/"))
        assert folder.isreg()
    found = contents(tmp_path / "a.tar")
    assert found["hard.jpg"] == found["e/soft.jpg"] == found["d/a.jpg"] == b"one"


def test_an_index_is_made_once_and_anew_for_another_tar(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.tar", {"a.jpg": b"one"})
    assert contents(path) == {"a.jpg": b"one"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.tar", "a.tar.index"]
    with monkeypatch.context() as patched:
        patched.setattr(tar_index, "_made", None)
        assert contents(path) == {"a.jpg": b"one"}
    write(path, {"a.jpg": b"one", "b.jpg": b"two"})
    assert contents(path) == {"a.jpg": b"one", "b.jpg": b"two"}
    (tmp_path / "a.tar.index").write_bytes(b"no index")
    assert list(contents(path)) == ["a.jpg", "b.jpg"]


def test_beside_data_that_cannot_be_changed_the_index_goes_to_the_caches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root writes anywhere, so a folder is in the way of the index."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "cache"))
    path = write(tmp_path / "a.tar", {"a.jpg": b"one"})
    (tmp_path / "a.tar.index" / "in_the_way").mkdir(parents=True)
    assert contents(path) == {"a.jpg": b"one"}
    kept = list((tmp_path / "cache" / "onlay" / "tars").iterdir())
    assert len(kept) == 1
    monkeypatch.setattr(tar_index, "_made", None)
    assert contents(path) == {"a.jpg": b"one"}


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def _compressed(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes()))


def _sparse(path: Path) -> None:
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a.jpg")
        info.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}
        info.size = 1
        tar.addfile(info, io.BytesIO(b"x"))


def _damaged(path: Path) -> None:
    """A byte of the second header, behind the first one and its content."""
    content = bytearray(path.read_bytes())
    content[1024 + 3] ^= 0xFF
    path.write_bytes(content)


def _holding(name: str, kind: bytes, target: str = "") -> Callable[[Path], None]:
    def harm(path: Path) -> None:
        with tarfile.open(path, "w") as tar:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            tar.addfile(info)

    return harm


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: cut(path, 512 + 200), "is cut short"),
        (lambda path: cut(path, 1024), "is cut short: its end is missing"),
        (lambda path: cut(path, 100), "is cut short"),
        (lambda path: path.write_bytes(b"word " * 500), "is no tar, or a damaged one"),
        (_damaged, "is damaged at byte 1,024, where a member begins"),
        (lambda path: path.write_bytes(2 * path.read_bytes()), "goes on behind its end"),
        (_compressed, r"is compressed \(gzip\), .* unpack it"),
        (_sparse, "holds `a.jpg`, with holes"),
        (
            _holding("a.jpg", tarfile.SYMTYPE, "/elsewhere/b.jpg"),
            "holds `a.jpg`, a link to `/elsewhere/b.jpg`, which is no file in it",
        ),
        (_holding("/etc/a.jpg", tarfile.REGTYPE), "holds `/etc/a.jpg`, under a name that leads"),
        (_holding("b/../../a", tarfile.REGTYPE), r"holds `b/../../a`, under a name that leads"),
        (_holding("a.jpg", tarfile.CHRTYPE), "holds `a.jpg`, which is a device or a pipe"),
        (_holding("a.jpg", tarfile.FIFOTYPE), "holds `a.jpg`, which is a device or a pipe"),
    ],
)
def test_what_is_no_tar_is_named(harm: Callable[[Path], None], told: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", {"a.jpg": b"x" * 300, "b.jpg": b"y" * 300})
    harm(path)
    with pytest.raises(DataError, match=rf"^the shard `{path}` {told}[^\n]*$"):
        Shard.of(path)


def test_a_tar_that_changed_while_it_is_read_is_named(tmp_path: Path) -> None:
    """Its index says what it was: another file under the name, or a member written over."""
    path = write(tmp_path / "a.tar", {"a.jpg": b"one", "b.jpg": b"two"})
    shard = Shard.of(path)
    stamp = path.stat().st_mtime_ns
    content = path.read_bytes()
    assert content.count(b"b.jpg") == 1
    path.write_bytes(content.replace(b"b.jpg", b"c.jpg"))
    with pytest.raises(DataError, match=rf"the shard `{path}` changed since it was indexed"):
        shard.read(0)
    os.utime(path, ns=(stamp, stamp))
    assert shard.read(0) == b"one"
    told = f"the member `b.jpg` of the shard `{path}` is another than when the shard was indexed"
    with pytest.raises(DataError, match=told):
        shard.read(1)


@pytest.mark.parametrize("how", get_all_start_methods())
def test_processes_open_files_of_their_own(how: str, tmp_path: Path) -> None:
    """Whether they are started anew or copied from one that has the file open."""
    path = write(tmp_path / "a.tar", {f"{n}.jpg": bytes([n]) * 700 for n in range(20)})
    members = [member for _, member in Shard.of(path).members()]
    members[0].read()
    with get_context(how).Pool(2) as pool:
        found = pool.map(type(members[0]).read, members)
    assert found == [bytes([n]) * 700 for n in range(20)]


def test_no_more_files_than_allowed_stay_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tars, "OPEN_AT_ONCE", 2)
    monkeypatch.setattr(tars, "_files", files := tars._Files())
    shards = [Shard.of(write(tmp_path / f"{n}.tar", {"a.jpg": b"%d" % n})) for n in range(4)]
    assert [shard.read(0) for shard in shards for _ in range(2)] == [
        b"%d" % n for n in range(4) for _ in range(2)
    ]
    assert [path.name for path, _ in files.files] == ["2.tar", "3.tar"]


def test_blocks_are_the_runs_of_one_tar(tmp_path: Path) -> None:
    one, two = (
        [m for _, m in Shard.of(write(tmp_path / name, {f"{n}": b"" for n in range(3)})).members()]
        for name in ("1.tar", "2.tar")
    )
    assert blocks_of([*one, *two[1:]], 4) == Blocks((3, 2), 4)
