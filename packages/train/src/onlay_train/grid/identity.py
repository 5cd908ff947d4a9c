"""What makes a cell this cell: a hash over everything on which its weights depend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay_train.folder import meaning

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.host import PluginHost

DIGITS = 12
"""Hexadecimal digits of a cell's name: of a million cells, two meet with a chance of 1 in 500."""


def digest(what: Any) -> str:
    """A hash of plain data; `1e-3` and `0.001` are one number, and the order of keys is none."""
    text = json.dumps(what, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def versions(config: RunConfig, host: PluginHost) -> dict[str, str]:
    """Of the packages whose code makes the weights: those of the method and the backbone."""
    owners = [host.owner(kind, getattr(config, kind).name) for kind in ("method", "backbone")]
    return {owner.distribution: owner.version or _content(owner.source) for owner in owners}


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
