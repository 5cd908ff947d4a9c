"""Pickles of numpy arrays, without running what else a pickle may ask for.

Python's own reader builds whatever objects a file names, numpy's array among them, whose content
the file may then set to anything. So nothing here is built by the file: its steps are followed by
`PickleSteps`, which knows lists, dicts, tuples, numbers, texts and arrays of numbers.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from pickletools import OpcodeInfo, opcodes
from typing import Any

from onlay_pointcloud.data.bounds import FREE, Malformed
from onlay_pointcloud.data.pickle_opcodes import follow
from onlay_pointcloud.data.pickle_steps import PickleSteps
from onlay_pointcloud.data.readers import attempted

_OPCODES = {opcode.code: opcode for opcode in opcodes}


def read_pickle(path: Path) -> Any:
    """Lists, dicts, numbers, texts and numpy arrays of numbers.

    Raises:
        DataError: the file is missing, truncated, refers to itself, holds the same arrays more
            often than twice, or asks for anything else, which it names.
    """
    return attempted(path, _load)


def _load(path: Path) -> Any:
    # a map reads no more than there is, whatever length the file asks for
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        steps = PickleSteps(room=2 * len(content) + FREE)
        for opcode, argument in _opcodes(content):
            if opcode.name == "STOP":
                return steps.result()
            if opcode.name == "FRAME" and argument > len(content) - content.tell():
                break
            follow(steps, opcode.name, argument)
    raise Malformed("it ends before the pickle does")


def _opcodes(content: Any) -> Iterator[tuple[OpcodeInfo, Any]]:
    while code := content.read(1):
        opcode = _OPCODES.get(code.decode("latin1"))
        if opcode is None:
            raise Malformed("it is no pickle, or damaged")
        try:
            yield opcode, opcode.arg.reader(content) if opcode.arg else None
        except (ValueError, OverflowError, SyntaxError) as error:
            if isinstance(error, Malformed):
                raise
            raise Malformed("it is cut off or damaged, or was written by Python 2") from error
