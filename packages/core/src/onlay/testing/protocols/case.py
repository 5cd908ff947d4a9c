"""A registered protocol, and an empty folder to ask it about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from onlay.config.overrides import merged
from onlay.descriptors import Protocol
from onlay.host import PluginHost


@dataclass(frozen=True, eq=False)
class ProtocolCase:
    """The one case of a protocol."""

    host: PluginHost
    protocol: Protocol

    first = True

    def __str__(self) -> str:
        return f"`{self.protocol.name}`"

    @contextmanager
    def asked(self) -> Iterator[tuple[Any, Path]]:
        """What it gives of an empty folder, and the folder."""
        with TemporaryDirectory() as folder:
            root = Path(folder)
            yield self.host.call("protocol", self.protocol.name, "grid", root), root


def blocks(content: Any) -> dict[str, dict[str, Any]]:
    """Label -> the block `data` of its runs; empty where it holds none."""
    if not isinstance(content, Mapping):
        return {}
    axis, base = (content.get("grid") or {}).get("data"), content.get("base") or {}
    if not isinstance(axis, Mapping):
        return {}
    shared = base.get("data") or {}
    return {label: merged(shared, (piece.get("data") or {})) for label, piece in axis.items()}


def protocol_cases(name: str, host: PluginHost) -> list[ProtocolCase]:
    """One."""
    return [ProtocolCase(host, host.find("protocol", name))]
