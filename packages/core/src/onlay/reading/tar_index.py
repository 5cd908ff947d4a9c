"""Where the members of a tar lie: found once, kept in a file beside it.

An index is a cache: one that is damaged, or of a tar that has changed since, is made anew.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from onlay.errors import DataError, RunError
from onlay.machine.disk import beside
from onlay.machine.system import cache_folder, open_plain, read_at

FORMAT = 1
BLOCK = 512
"""Bytes of a header, and what contents are filled up to."""

_PACKERS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\3\4": "zip",
}
"""How compressed files begin."""

Stamp = tuple[int, int, int, int]
"""Format, bytes of the tar, when it was written (ns), checksum of its first header."""


@dataclass(frozen=True, eq=False)
class TarIndex:
    """The plain files of one tar, in its order, without folders."""

    stamp: Stamp
    blob: np.ndarray
    """Names in UTF-8, each with a NUL behind it, (bytes,) uint8."""
    offsets: np.ndarray
    """Where contents begin, (members,) uint64."""
    sizes: np.ndarray
    """Their bytes, (members,) uint64."""
    headers: np.ndarray
    """CRC-32 of the header in front of each, (members,) uint32."""

    def __len__(self) -> int:
        return len(self.offsets)

    @cached_property
    def ends(self) -> np.ndarray:
        return np.flatnonzero(self.blob == 0).astype(np.uint32)

    def name(self, number: int) -> str:
        start = self.ends[number - 1] + 1 if number else 0
        return self.blob[start : self.ends[number]].tobytes().decode(errors="surrogateescape")

    def names(self) -> list[str]:
        """All names at once."""
        text = self.blob.tobytes().decode(errors="surrogateescape")
        return text.split("\0")[:-1]


def index_of(path: Path) -> TarIndex:
    """The index of a tar: read, if there is one that fits, else made and kept.

    Raises:
        DataError: no such file, one that is compressed, cut short or no tar; a member that is
            stored with holes.
    """
    stamp = stamp_of(path)
    for place in _places(path):
        found = _kept(place)
        if found is not None and found.stamp == stamp:
            return found
    made = _made(path, stamp)
    _keep(made, path)
    return made


def stamp_of(path: Path) -> Stamp:
    """What tells a tar from another under its name."""
    with opened(path) as file:
        return stamp_in(file)


def stamp_in(file: BinaryIO) -> Stamp:
    """Likewise, of an open one."""
    facts = os.fstat(file.fileno())
    return FORMAT, facts.st_size, facts.st_mtime_ns, zlib.crc32(read_at(file, BLOCK, 0))


def opened(path: Path) -> BinaryIO:
    """The file, in words where that fails."""
    try:
        return open_plain(path)
    except FileNotFoundError as error:
        raise DataError(f"the shard `{path}` is missing") from error
    except OSError as error:
        reason = error.strerror or "it is no plain file"
        raise DataError(f"the shard `{path}` cannot be read: {reason}") from error


def _places(path: Path) -> tuple[Path, Path]:
    """Beside the tar, and for folders that are read-only among the user's caches."""
    name = hashlib.sha256(os.path.realpath(path).encode(errors="surrogateescape")).hexdigest()
    beside_it = path.with_name(f"{path.name}.index")
    return beside_it, cache_folder() / "tars" / f"{name[:32]}.index"


def _keep(index: TarIndex, path: Path) -> None:
    for place in _places(path):
        with suppress(RunError), beside(place) as fresh, fresh.open("wb") as file:
            np.savez(
                file,
                stamp=np.array(index.stamp, np.int64),
                blob=index.blob,
                offsets=index.offsets,
                sizes=index.sizes,
                headers=index.headers,
            )
        if place.is_file():
            return


def _kept(place: Path) -> TarIndex | None:
    try:
        with np.load(place, allow_pickle=False) as file:
            own = {name: file[name] for name in ("blob", "offsets", "sizes", "headers")}
            stamp = tuple(int(word) for word in file["stamp"])
    except Exception:  # whatever numpy and zip say of what is no index
        return None
    found = TarIndex(stamp, **own)  # type: ignore[arg-type]
    whole = len(stamp) == 4 and len(own["offsets"]) == len(own["sizes"]) == len(own["headers"])
    return found if whole and len(found.ends) == len(found) else None


def _made(path: Path, stamp: Stamp) -> TarIndex:
    with opened(path) as file:
        _refuse_compressed(file, path)
        try:
            places = list(_members(file, path))
        except DataError:
            raise
        except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
            cut = any(word in str(error) for word in ("end of data", "truncated", "empty"))
            what = "is cut short" if cut and stamp[1] else "is no tar, or a damaged one"
            raise DataError(f"the shard `{path}` {what}") from error
        names = [name for name, _, _ in places]
        headers = [zlib.crc32(read_at(file, BLOCK, offset - BLOCK)) for _, offset, _ in places]
    text = "".join(f"{name}\0" for name in names).encode(errors="surrogateescape")
    return TarIndex(
        stamp,
        np.frombuffer(text, np.uint8),
        np.array([offset for _, offset, _ in places], np.uint64),
        np.array([size for _, _, size in places], np.uint64),
        np.array(headers, np.uint32),
    )


def _refuse_compressed(file: BinaryIO, path: Path) -> None:
    head = read_at(file, 8, 0)
    for start, packer in _PACKERS.items():
        if head.startswith(start):
            raise DataError(
                f"the shard `{path}` is compressed ({packer}), and members are read from any place"
                " in it: unpack it to a plain `.tar` (or recompress the pictures in it)"
            )


Place = tuple[str, int, int]
"""Name, where the content begins, bytes."""


def _members(file: BinaryIO, path: Path) -> Iterator[Place]:
    """Files, and links to them as what they lead to."""
    found: dict[str, Place] = {}
    links: list[tuple[str, str]] = []
    with tarfile.open(fileobj=file, mode="r:") as opened_tar:
        tar: Any = opened_tar  # whose list of members no type tells
        while (info := tar.next()) is not None:
            tar.members.clear()  # which would hold a kilobyte of each
            _refuse_strange(info, path)
            name = info.name.removeprefix("./")
            if info.isreg():
                found[name] = place = (name, info.offset_data, info.size)
                yield place
            elif info.islnk() or info.issym():
                links.append((name, _leads_to(info)))
        _refuse_rest(file, tar.offset, path)
    yield from _linked(links, found, path)


def _refuse_strange(info: tarfile.TarInfo, path: Path) -> None:
    """What no packer of data writes, and what is not read the way it looks."""
    if info.issparse():
        strange = "with holes (sparse): pack it again without `--sparse`"
    elif info.name.startswith("/") or ".." in info.name.split("/"):
        strange = "under a name that leads out of it: pack it again with names below one folder"
    elif info.isdev():
        strange = "which is a device or a pipe, and no file: pack it again without it"
    else:
        return
    raise DataError(f"the shard `{path}` holds `{info.name}`, {strange}")


def _leads_to(link: tarfile.TarInfo) -> str:
    if link.islnk():
        return link.linkname.removeprefix("./")
    folder = posixpath.dirname(link.name)
    return posixpath.normpath(posixpath.join(folder, link.linkname)).removeprefix("./")


def _linked(links: list[tuple[str, str]], found: dict[str, Place], path: Path) -> Iterator[Place]:
    for name, target in links:
        if target not in found:
            raise DataError(
                f"the shard `{path}` holds `{name}`, a link to `{target}`, which is no file in it:"
                " pack it again with `tar --dereference`"
            )
        yield (name, *found[target][1:])


def _refuse_rest(file: BinaryIO, end: int, path: Path) -> None:
    """A tar ends with a block of zeros; `tarfile` also stops, without a word, at what is none."""
    mark = read_at(file, BLOCK, end)
    if len(mark) < BLOCK:
        raise DataError(f"the shard `{path}` is cut short: its end is missing")
    if any(mark):
        raise DataError(f"the shard `{path}` is damaged at byte {end:,}, where a member begins")
    start = end + BLOCK
    while piece := read_at(file, 2**20, start):
        if piece.count(0) < len(piece):
            raise DataError(
                f"the shard `{path}` goes on behind its end: it is several tars one behind the"
                " other; unpack and pack it again, or join them by `tar --concatenate`"
            )
        start += len(piece)
