"""Surfaces: the polygons of a mesh, and points that are spread over them; what trimesh reads."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onlay_pointcloud.data.bounds import Malformed
from onlay_pointcloud.data.columns import Wanted
from onlay_pointcloud.data.glb import check_glb
from onlay_pointcloud.data.scan import Scan

logging.getLogger("trimesh").addHandler(logging.NullHandler())  # else it prints tracebacks

_OFF = re.compile(rb"\s*\w*OFF\s*(\d+)\s+(\d+)")
"""How many vertices and faces a header promises; counts may be glued to the word."""

_HEADER = 65536
"""Bytes in which a header ends."""


class Polygons:
    """The corners of a mesh's faces, as triangles (F, 3)."""

    def __init__(self, triangles: np.ndarray | None = None) -> None:
        self.triangles = np.empty((0, 3), np.int64) if triangles is None else triangles

    def __bool__(self) -> bool:
        return len(self.triangles) > 0

    @classmethod
    def equal(cls, corners: np.ndarray) -> Polygons:
        """Of polygons (F, corners) that have equally many: fans about their first one."""
        fans = [corners[:, [0, i, i + 1]] for i in range(1, corners.shape[1] - 1)]
        return cls(np.stack(fans, 1).reshape(-1, 3).astype(np.int64) if fans else None)

    @classmethod
    def loose(cls, corners: Sequence[tuple[float, ...]]) -> Polygons:
        """Of polygons of different sizes, in their order."""
        fans = [(p[0], p[i], p[i + 1]) for p in corners for i in range(1, len(p) - 1)]
        with np.errstate(invalid="ignore"):
            return cls(np.array(fans, np.float64).astype(np.int64).reshape(-1, 3))


def surface(vertices: np.ndarray, faces: Polygons, count: int, wanted: Wanted) -> Scan:
    """`count` points (count, 3), spread evenly over the surface by chance, the same every time.

    Raises:
        Malformed: a face of vertices that are not there, or nothing that has an area.
    """
    import trimesh

    if wanted.extra:
        raise Malformed(f"it is a mesh, whose surface has no column `{wanted.extra[0]}`")
    if not 0 <= faces.triangles.min() <= faces.triangles.max() < len(vertices):
        raise Malformed(f"a face has a corner that is none of its {len(vertices):,} vertices")
    if not np.isfinite(vertices[faces.triangles]).all():
        raise Malformed("a vertex is NaN or infinite")
    whole = trimesh.Trimesh(vertices, faces.triangles, process=False)
    if not 0 < whole.area < np.inf:
        raise Malformed("its faces have no area")
    return Scan(np.asarray(trimesh.sample.sample_surface(whole, count, seed=0)[0]))


def read_mesh(path: Path, wanted: Wanted, count: int) -> Scan:
    """The vertices (N, 3) of a file without faces; else `count` points on its surface."""
    import trimesh

    content = path.read_bytes()
    parts: list[Any] = _scene(path, content).dump()
    _check_counts(path, content, parts)
    meshes = [part for part in parts if len(getattr(part, "faces", ()))]
    if meshes and wanted.label is None:
        one: Any = trimesh.util.concatenate(meshes)
        return surface(np.asarray(one.vertices), Polygons(np.asarray(one.faces)), count, wanted)
    if wanted.further:
        column = wanted.extra[0] if wanted.extra else wanted.label or "label"
        raise Malformed(f"columns such as `{column}` are not read from `{path.suffix}`")
    return Scan(np.concatenate([np.asarray(part.vertices) for part in parts]))


def _scene(path: Path, content: bytes) -> Any:
    import trimesh

    kind = path.suffix.lower()[1:]
    if kind == "glb":
        check_glb(content)
    if kind in ("obj", "off") or (kind == "stl" and content.lstrip()[:5].lower() == b"solid"):
        content = _text(content)
    try:
        return trimesh.load_scene(
            io.BytesIO(content), file_type=kind, process=False, skip_materials=True
        )
    except ModuleNotFoundError as error:  # of what guesses the encoding of text
        raise Malformed("it is neither a whole binary file nor text") from error


def _text(content: bytes) -> bytes:
    """As trimesh expects it: lines that end by LF, in UTF-8."""
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1").encode("utf-8")
    return content


def _check_counts(path: Path, content: bytes, parts: list[Any]) -> None:
    """trimesh takes what is left of a truncated text file for all; its header knows better."""
    if path.suffix.lower() != ".off":
        return
    header = _OFF.match(re.sub(rb"#.*", b"", content[:_HEADER]))
    counts = header.groups(b"0") if header else (b"0", b"0")
    for promised, name in zip(counts, ("vertices", "faces"), strict=True):
        found = sum(len(getattr(part, name, ())) for part in parts)
        if found < int(promised[:18]):
            raise Malformed(f"its header promises {int(promised[:18])} {name}, and it has {found}")
