"""One cell, trained in a process of its own."""

from __future__ import annotations

import os
import socket
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from onlay.errors import DivergedError, OnlayError, RunError
from onlay_train.grid.cells import Cell
from onlay_train.grid.facts import FAILED, keys_in, read_facts
from onlay_train.grid.identity import versions
from onlay_train.grid.state import CellFolder, Failure
from onlay_train.lock import Held

if TYPE_CHECKING:
    from onlay_train.summary import Summary


def run_cell(root: str, name: str, plugins: Iterable[str] = ()) -> str:
    """Train the cell in `root/cells/name`, or go on with it; gives the state in which it is left.

    What it prints goes to its `output.txt`, and why it failed to its `error.json`.
    """
    import torch

    folder = CellFolder(Path(root), name)
    _redirect(folder.output)
    began = time.time()
    facts = {"host": socket.gethostname(), "pid": os.getpid(), "threads": torch.get_num_threads()}
    folder.note(began=began, **facts)
    ended = _ended(folder, plugins)
    folder.note(ended=ended, seconds=round(time.time() - began, 1))
    return ended


def _ended(folder: CellFolder, plugins: Iterable[str]) -> str:
    from onlay_train.signals import Stopped

    try:
        _train(folder, plugins)
    except Stopped:
        return "interrupted"
    except Held:  # by another start, or for a moment by who asks whether it is
        return "running"
    except OnlayError as error:
        folder.fail(Failure(type(error).__name__, str(error), isinstance(error, DivergedError)))
        return "failed"
    except Exception as error:
        traceback.print_exc()
        folder.fail(_unexpected(error, folder))
        return "failed"
    return "done"


def _train(folder: CellFolder, plugins: Iterable[str]) -> Summary:
    from rich.console import Console

    from onlay.config import resolve
    from onlay.host import PluginHost
    from onlay_train.run import train

    host = PluginHost.discover(files=[Path(file) for file in plugins])
    cell = Cell.read(folder.cell)
    config = resolve({**cell.config, "out": str(folder.path)}, (), host)
    _check_versions(cell, versions(config, host))
    summary = train(config, host, console=Console(file=sys.stdout, width=100))
    _check_data(folder, cell)
    return summary


def _check_versions(cell: Cell, here: Mapping[str, str]) -> None:
    """A cell is named by the versions of what it is made of.

    Raises:
        RunError: others are installed here, or were installed since it was handed out.
    """
    for name, wanted in cell.versions.items():
        if here.get(name) != wanted:
            raise RunError(
                f"`{name}` is {here.get(name, 'not')} installed here, and the cell is of {wanted}:"
                " start `onlay compare` again, which makes cells of what is installed now"
            )


def _check_data(folder: CellFolder, cell: Cell) -> None:
    """A cell is named by data as they were when its comparison read them.

    Raises:
        RunError: it was trained on others; it is not done then.
    """
    from onlay.bundle.reading import read_manifest

    known = read_facts(folder.path.parents[1] / "facts.json")
    told = known.get(keys_in(cell.config)["data"], FAILED)
    found = read_manifest(folder.run.bundle).data.get("split", "")
    if not told.startswith(FAILED) and told != found:
        folder.run.summary.unlink()
        raise RunError(
            "its data changed after this comparison had read them: `onlay compare` with"
            " `--retry failed` reads them anew"
        )


def _unexpected(error: Exception, folder: CellFolder) -> Failure:
    kind, first = type(error).__name__, (str(error).splitlines() or [""])[0]
    memory = kind == "OutOfMemoryError" or isinstance(error, MemoryError)
    said = "the device's memory is too small for it" if memory else f"{kind}: {first}"
    return Failure(kind, f"{said} (see `{folder.output}`)")


def _redirect(path: Path) -> None:
    """Standard output and error of this process, libraries in C included, go to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
