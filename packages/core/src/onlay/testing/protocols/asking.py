"""What a protocol gives of a folder in which there is nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.config import parse
from onlay.testing.checking import require
from onlay.testing.protocols.case import ProtocolCase, blocks


def check_names_data_sets_that_can_be_read(case: ProtocolCase) -> None:
    """The grid has data sets under labels in its axis `data`, whether they are there or not, and
    each is a block of a data set of the protocol's modality."""
    with case.asked() as (content, _):
        found = blocks(content)
        require(found, "its grid has no axis `data` of labels")
        for label, block in found.items():
            config = parse("dataset", block, case.host)
            has = case.host.find("dataset", config.name).modality
            ours = case.protocol.modality
            require(has == ours, f"`{label}` holds {has} data, and the protocol is of {ours}")


def check_an_empty_folder_has_none_of_them(case: ProtocolCase) -> None:
    """Of an empty folder it says of every data set that has a path where was looked and what is
    expected, in one line each, and of no other; and writes nothing into it."""
    with case.asked() as (content, root):
        found = blocks(content)
        missing = _missing(case, found, root)
        wanted = {label for label, block in found.items() if block.get("path") is not None}
        require(set(missing) == wanted, f"missing are {sorted(missing)}, not {sorted(wanted)}")
        for label, why in missing.items():
            one = isinstance(why, str) and why.strip() and "\n" not in why
            require(one, f"of `{label}` it says {why!r}")
        require(not any(root.iterdir()), "it writes into the folder")


def check_gives_the_same_plain_content(case: ProtocolCase) -> None:
    """Asked twice it gives the same, which a grid file can hold: words, numbers, lists, mappings,
    paths."""
    with case.asked() as (content, root):
        again = case.host.call("protocol", case.protocol.name, "grid", root)
        require(_plain(content) == _plain(again), "two grids of one folder differ")


def _missing(
    case: ProtocolCase, found: Mapping[str, Mapping[str, Any]], root: Path
) -> Mapping[str, Any]:
    if case.protocol.missing is not None:
        return case.host.call("protocol", case.protocol.name, "missing", root)
    paths = {label: block.get("path") for label, block in found.items()}
    return {n: "its path" for n, path in paths.items() if path and not Path(path).exists()}


def _plain(content: Any) -> str:
    return json.dumps(content, default=_as_text)


def _as_text(value: Any) -> str:
    require(isinstance(value, Path), f"a file cannot hold {value!r}")
    return str(value)
