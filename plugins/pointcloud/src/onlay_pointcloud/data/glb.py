"""What a `.glb` file promises, compared with what it holds before trimesh makes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from onlay_pointcloud.data.bounds import FREE, PACKED, Malformed, enough

_NUMBER = 12
"""Bytes of a vertex in memory, at least."""


def check_glb(content: bytes) -> None:
    """Raises:
    Malformed: lengths beyond the file's end, numbers that are nowhere, a compression that is
        not read, nodes within themselves, or copies of a mesh without end.
    """
    tree = _tree(content)
    required = [str(name) for name in tree.get("extensionsRequired", ())]
    packed = [name for name in required if "draco" in name or "meshopt" in name]
    if packed:
        raise Malformed(f"it is compressed by `{packed[0][:40]}`, which is not read")
    for accessor in tree.get("accessors", ()):
        enough(_count(accessor), len(content), f"{_count(accessor):,} numbers")
    _check_nodes(tree, max(FREE, PACKED * len(content)) // _NUMBER)


def _tree(content: bytes) -> Mapping[str, Any]:
    length = int.from_bytes(content[12:16], "little")
    if content[:4] != b"glTF" or content[16:20] != b"JSON":
        raise Malformed("it does not begin as `.glb` files do")
    enough(length, len(content) - 20, "a description")
    tree = json.loads(content[20 : 20 + length])
    if not isinstance(tree, dict):
        raise Malformed("its description is none")
    return tree


def _count(accessor: Mapping[str, Any]) -> int:
    return int(accessor.get("count", 0))


def _check_nodes(tree: Mapping[str, Any], room: int) -> None:
    """Every node stands once, as the format demands, and all meshes together find room."""
    nodes = tree.get("nodes", [])
    children = [child for node in nodes for child in node.get("children", ())]
    roots = [root for scene in tree.get("scenes", ()) for root in scene.get("nodes", ())]
    if len(set(children)) < len(children) or set(children) & set(roots):
        raise Malformed("one of its nodes stands in several others, or within itself")
    sizes = [_size(tree, mesh) for mesh in tree.get("meshes", ())]
    total = sum(sizes[node["mesh"]] for node in nodes if "mesh" in node)
    if total > room:
        raise Malformed(f"its copies of meshes have {total:,} corners, more than it can hold")


def _size(tree: Mapping[str, Any], mesh: Mapping[str, Any]) -> int:
    total = 0
    for primitive in mesh["primitives"]:
        used = [*primitive.get("attributes", {}).values(), primitive.get("indices")]
        total += sum(_count(tree["accessors"][index]) for index in used if index is not None)
    return total
