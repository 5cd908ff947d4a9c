"""Points and meshes that trimesh reads; of meshes, points on their surface."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np

from onlay_pointcloud.data.bounds import Malformed

logging.getLogger("trimesh").addHandler(logging.NullHandler())  # else it prints tracebacks
_COUNTS = {
    ".off": rb"\s*\w*OFF\s*(\d+)\s+(\d+)",  # counts may be glued to the word
    ".ply": rb"ply\s.*?element\s+vertex\s+(\d+)(?:.*?element\s+face\s+(\d+))?.*?end_header",
}
"""How many vertices and faces the headers of text files promise."""

_HEADER = 65536
"""Bytes in which a header ends."""


def read_mesh(path: Path, count: int) -> np.ndarray:
    """The vertices (N, 3) of a file without faces; else `count` points (count, 3), spread evenly
    over the surface by chance, the same every time."""
    import trimesh

    parts: list[Any] = _scene(path).dump()
    _check_counts(path, parts)
    meshes = [part for part in parts if len(getattr(part, "faces", ()))]
    if not meshes:
        return np.concatenate([np.asarray(part.vertices) for part in parts])
    whole: Any = trimesh.util.concatenate(meshes)
    if not np.isfinite(whole.vertices).all():
        raise Malformed("a vertex is NaN or infinite")
    if not whole.area > 0:
        raise Malformed("its faces have no area")
    return np.asarray(trimesh.sample.sample_surface(whole, count, seed=0)[0])


def _scene(path: Path) -> Any:
    import trimesh

    kind = path.suffix.lower()[1:]
    try:
        with path.open("rb") as file:
            return trimesh.load_scene(file, file_type=kind, process=False, skip_materials=True)
    except ModuleNotFoundError as error:  # of what guesses the encoding of text
        raise Malformed("it is neither a whole binary file nor text in UTF-8") from error


def _check_counts(path: Path, parts: list[Any]) -> None:
    """trimesh takes what is left of a truncated text file for all; its header knows better."""
    pattern = _COUNTS.get(path.suffix.lower())
    if pattern is None:
        return
    with path.open("rb") as file:
        header = re.match(pattern, re.sub(rb"#.*", b"", file.read(_HEADER)), re.DOTALL)
    counts = header.groups(b"0") if header else (b"0", b"0")
    for promised, name in zip(counts, ("vertices", "faces"), strict=True):
        found = sum(len(getattr(part, name, ())) for part in parts)
        if found < int(promised):
            raise Malformed(f"its header promises {int(promised)} {name}, and it has {found}")
