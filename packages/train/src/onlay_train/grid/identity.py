"""What makes a cell this cell: a hash over everything on which its weights depend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.config.oneof import inner_blocks
from onlay.config.run import BLOCKS, RunConfig
from onlay_train.folder import meaning

if TYPE_CHECKING:
    from onlay.host import PluginHost

DIGITS = 12
"""Hexadecimal digits of a cell's name: of a million cells, two meet with a chance of 1 in 500."""


def digest(what: Any) -> str:
    """A hash of plain data; `1e-3` and `0.001` are one number, and the order of keys is none."""
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


_OURS = frozenset({"onlay", "onlay-train"})
"""Of these every cell has something; what changes in their formats is told by schemas."""


def versions(config: RunConfig, host: PluginHost) -> dict[str, str]:
    """Of the packages whose code makes the weights: those of the method and the backbone, and of
    other packages' task, data set, decoders and optimizer."""
    owners = [(kind, host.owner(kind, name)) for kind, name in _named(config)]
    return {
        owner.distribution: owner.version or _content(owner.source)
        for kind, owner in owners
        if kind in ("method", "backbone") or owner.distribution not in _OURS
    }


def _named(config: RunConfig) -> Iterator[tuple[str, str]]:
    """The kind and the name of everything that trains."""
    for field, block in BLOCKS.items():
        own: Any = getattr(config, field)
        yield block.kind, own.name
        yield from ((kind, inner.name) for kind, inner in inner_blocks(own))
    yield "optimizer", config.train.opt


def _content(file: str) -> str:
    """What a plugin file has in the place of a version: an edited one makes other weights."""
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:DIGITS]
    except OSError:  # an object, or a file that is gone
        return ""


def hashes(
    dump: Mapping[str, Any], own_versions: Mapping[str, str], facts: Mapping[str, str]
) -> tuple[str, str]:
    """The name of a cell's folder: the resolved configuration without keys on which no weight
    depends, versions, the digest of the data and the fingerprint of the backbone. And the same
    without versions."""
    means = meaning(dump)
    return digest([means, own_versions, facts]), digest([means, facts])
