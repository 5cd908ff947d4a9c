"""Which installed exporter writes the file that `onlay merge --out` names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from onlay.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from onlay.descriptors import Exporter
    from onlay.host import PluginHost

_SUFFIX = re.compile(r"\.[A-Za-z]\w*")
"""`.onnx` says what a file is; the end of `vit-1.5` does not."""


def choose(host: PluginHost, modality: str, name: str | None, out: Path) -> Exporter:
    """The exporter called `name`; else the one of the suffix, else the modality's own.

    Raises:
        ConfigError: none is installed, none or several could be meant, or the suffix is another
            format's.
    """
    fitting = {n: e for n, e in host.exporters.items() if e.modality == modality}
    suffix = out.suffix.lower() if _SUFFIX.fullmatch(out.suffix) else ""
    if name is not None:
        if name not in fitting:
            host.find("exporter", name)  # an unknown or broken one tells more
            raise ConfigError(f"exporter `{name}` is not for {modality} models ({_have(fitting)})")
        return _refuse_other(fitting[name], suffix, out, fitting)
    if not fitting:
        raise ConfigError(
            f"no installed plugin writes merged {modality} models to files; the bundle itself loads"
            " with `onlay.load`, and `merge()` of that is a plain network"
        )
    able = {n: e for n, e in fitting.items() if suffix in e.suffixes}
    if not able:
        able = _own(host, modality, fitting)
    if len(able) != 1:
        raise ConfigError(
            f"choose the format of a {modality} model with `--format` ({_have(fitting)})"
        )
    return _refuse_other(next(iter(able.values())), suffix, out, fitting)


def _own(
    host: PluginHost, modality: str, fitting: Mapping[str, Exporter]
) -> Mapping[str, Exporter]:
    """Of several, that of the modality's own distribution, whatever else is installed; of its own
    one that holds merged models alone, before programs."""
    if len(fitting) < 2:
        return fitting
    home = host.owner("modality", modality).distribution
    own = [n for n in fitting if host.owner("exporter", n).distribution == home]
    own.sort(key=lambda name: fitting[name].partial)
    return {name: fitting[name] for name in own[:1]}


def _refuse_other(
    exporter: Exporter, suffix: str, out: Path, fitting: Mapping[str, Exporter]
) -> Exporter:
    if suffix and exporter.suffixes and suffix not in exporter.suffixes:
        raise ConfigError(
            f"`{exporter.name}` does not write `{suffix}` files, so `{out}` would not be what its"
            f" name says; leave the suffix out or take another ({_have(fitting)})"
        )
    return exporter


def _have(exporters: Mapping[str, Exporter]) -> str:
    """The names of exporters with their suffixes, for a message."""
    listed = [
        f"`{name}`" + "".join(f" `{suffix}`" for suffix in sorted(exporter.suffixes))
        for name, exporter in exporters.items()
    ]
    return f"have: {', '.join(listed) or 'none'}"
