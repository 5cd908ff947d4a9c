"""Files are written whole or not at all, and what prevents it is one sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from onlay.errors import ConfigError, OnlayError, RunError
from onlay.machine.system import flush_folder, replace

_REASONS = {
    errno.ENOENT: "it is not there",
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than is allowed here (`ulimit -f`)",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "it is not permitted",
    errno.EPERM: "it is not permitted",
    errno.ENAMETOOLONG: "its name is too long",
    errno.ENOTDIR: "a part of its path is a file, not a folder",
    errno.EEXIST: "a file is in the way",
    errno.EISDIR: "a folder is in the way",
    errno.ENOTEMPTY: "a folder is in the way",
    errno.EIO: "the disk fails",
    errno.ELOOP: "its path is a link to itself",
}
_ONLY_IN_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_LIBRARIES = ("PytorchStreamWriter", "file write failed", "SafetensorError", "I/O error")
"""Words of libraries that write files themselves and raise no `OSError`."""


def prevented(error: BaseException, below: Path | None = None) -> str:
    """Why something could not be written, in words; empty where the error says nothing of the kind.

    With `below`, of errors that reading raises, too, only those of files in that folder count.
    """
    if isinstance(error, OnlayError):
        return ""
    if isinstance(error, OSError):
        own = below is None or str(error.filename or "").startswith(str(below))
        if error.errno in _ONLY_IN_WRITING or own:
            return _REASONS.get(error.errno or 0, error.strerror or str(error))
    if isinstance(error, ValueError) and "null" in str(error):
        return "its name holds a NUL character"
    text = f"{type(error).__name__}: {error}"
    if any(words in text for words in _LIBRARIES):
        return "the disk is full" if "No space" in text else "the disk is full or fails"
    return ""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Whatever prevents a write inside, whichever library raises it, is a `RunError`."""
    try:
        yield
    except Exception as error:
        reason = prevented(error)
        if not reason:
            raise
        shown = str(path).replace("\0", "\\0")
        raise RunError(f"`{shown}` cannot be written: {reason}") from error


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` in one step, once the block has ended well.

    A reader sees the old content or the new; nothing else stays behind, also not what an earlier
    process left when it was killed.

    Raises:
        RunError: the file cannot be written; the old one is as it was.
    """
    fresh = path.with_name(f".{path.name}.new")
    with writing(path):
        try:
            fresh.unlink(missing_ok=True)
            with fresh.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            replace(fresh, path)
            flush_folder(path.parent)
        finally:
            _gone(fresh)


def write_text(path: Path, text: str) -> None:
    """Replace a text file, as `replacing` does; lines end the same everywhere."""
    with replacing(path) as file:
        file.write(text.encode("utf-8"))


def path_of(given: Any) -> Path:
    """A path that a user gives.

    Raises:
        ConfigError: it is neither a text nor a path.
    """
    path = os.fspath(given) if isinstance(given, os.PathLike) else given
    if isinstance(path, str):
        return Path(path)
    kind = type(given).__name__
    raise ConfigError(f"give a folder as a text or a `pathlib.Path`, not as a `{kind}`")


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A path of the same name in a scratch folder; all that lies there afterwards is moved beside
    `path`, or nothing.

    Raises:
        RunError: something cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".new-") as scratch:
            yield Path(scratch) / path.name
            for fresh in sorted(Path(scratch).iterdir()):
                replace(fresh, path.parent / fresh.name)
        flush_folder(path.parent)


def _gone(fresh: Path) -> None:
    try:
        fresh.unlink(missing_ok=True)
    except (OSError, ValueError):  # what could not be made is not there
        return
