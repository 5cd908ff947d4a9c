"""Grids that plugins bring under a name, with what a command line adds to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.config.files import listed, read
from onlay.config.overrides import overridden
from onlay.config.run import widened
from onlay.errors import ConfigError, DataError, PluginError
from onlay_train.folder import flat

if TYPE_CHECKING:
    from onlay.host import PluginHost

AXES = ("method", "backbone", "train.seed")
"""What a command line may name instead of what a protocol has."""
SAME = ("base", "recipes", "search", "protocol", "skip")
"""What two starts of a protocol in one folder have in common; the axes grow."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What stands on the command line beside the grid."""

    methods: Sequence[str] = ()
    """Names, or blocks: `{name: arc, rank: 8}`."""
    backbones: Sequence[str] = ()
    seeds: str | None = None
    """How many, from 0 on, or which: `3`, `0,4,7`."""
    words: Sequence[str] = ()
    """Overrides of all cells, `train.epochs=50`."""
    trials: int | None = None
    """Of the search; without it a protocol searches nothing."""
    data_root: Path | None = None

    def axes(self) -> dict[str, list[Any]]:
        """Those that were named."""
        seeds = [] if self.seeds is None else seeds_of(self.seeds)
        named = (list(map(listed, self.methods)), list(map(listed, self.backbones)), seeds)
        return {axis: own for axis, own in zip(AXES, named, strict=True) if own}


def seeds_of(text: str) -> list[int]:
    """
    >>> seeds_of("3"), seeds_of("4,7")
    ([0, 1, 2], [4, 7])
    """
    try:
        numbers = [int(word) for word in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0 or numbers == [0] or len({*numbers}) < len(numbers):
        raise ConfigError(f"`--seeds {text}`: say how many, `3`, or which, each once, `0,4,7`")
    return list(range(numbers[0])) if "," not in text else numbers


def with_words(
    content: Mapping[str, Any], asked: Asked, host: PluginHost, there: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of a grid with what a command line asks for; an axis that it does not name is
    taken from what is `there`, an earlier start, if it has it."""
    named = asked.axes()
    kept = {a: own for a in AXES if a not in named and (own := there.get("grid", {}).get(a))}
    grid = {**content.get("grid", {}), **kept, **named}
    whole = {**content, "grid": grid, "base": content.get("base") or {}}
    return _set(_searched(whole, asked.trials), asked.words, host)


def _searched(content: dict[str, Any], trials: int | None) -> dict[str, Any]:
    if trials is None:
        return content
    if not content.get("search"):
        raise ConfigError("`--trials`: this grid does not say what is searched (`search`)")
    return {**content, "search": {**content["search"], "trials": trials}}


def _set(content: dict[str, Any], words: Sequence[str], host: PluginHost) -> dict[str, Any]:
    """With overrides of all cells: in `base`, and in labelled pieces that say something else."""
    if not words:
        return content
    keys = {word: word.partition("=")[0].strip() for word in words}
    for word, key in keys.items():
        if key in content["grid"]:
            raise ConfigError(f"`--set {word}`: `{key}` is an axis of the grid, with values of it")

    def piece(own: Mapping[str, Any]) -> dict[str, Any]:
        return overridden(own, [word for word, key in keys.items() if key in flat(own)])

    grid = {
        axis: {label: piece(own) for label, own in values.items()}
        if isinstance(values, Mapping)
        else values
        for axis, values in content["grid"].items()
    }
    return {**content, "grid": grid, "base": overridden(widened(content["base"], host), words)}


def of_protocol(
    name: str, asked: Asked, out: Path, host: PluginHost
) -> tuple[dict[str, Any], list[str]]:
    """The content of the grid file that a protocol stands for, grown by what an earlier start in
    `out` asked for; and a sentence for each data set that is not there.

    Raises:
        ConfigError: no backbone is known; the folder holds another comparison.
        DataError: none of the data sets is there.
        PluginError: the plugin gives something that is no grid.
    """
    root = Path("data") if asked.data_root is None else asked.data_root
    there = read(out / "grid.yaml") if (out / "grid.yaml").exists() else {}
    raw = host.call("protocol", name, "grid", root)
    content: dict[str, Any] = {**with_words(plain(name, raw), asked, host, there), "protocol": name}
    if asked.trials is None:
        content["search"] = there.get("search")
    _check_backbone(name, content)
    known = there.get("grid", {}).get("data", {})
    gone = {k: why for k, why in _missing(name, root, content, host).items() if k not in known}
    data = {k: own for k, own in content["grid"]["data"].items() if k not in gone}
    if not data:
        first, *others = gone.items()
        more = f" (nor {', '.join(f'`{label}`' for label, _ in others)})" if others else ""
        raise DataError(
            f"`{first[0]}` is not there: {first[1]}{more}; `--data-root` says where data are, and"
            f" now it is `{root}`"
        )
    content["grid"] = {**content["grid"], "data": data}
    return grown(there, content, out), [f"`{k}` is not there: {why}" for k, why in gone.items()]


def grown(there: Mapping[str, Any], content: dict[str, Any], out: Path) -> dict[str, Any]:
    """What a folder is about, and what is asked for now.

    Raises:
        ConfigError: it holds another comparison, or one with other settings.
    """
    if not there:
        return content
    old, new = _compared(there, content), _compared(content, there)
    differ = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if differ:
        key = differ[0]
        then, now = (str(each.get(key, "not set")) for each in (old, new))
        raise ConfigError(
            f"`{out}` holds another comparison: `{key}` is `{then}` there and `{now}` here; give"
            " another folder with `--out`"
        )
    both = {**there["grid"], **content["grid"]}
    grid = {axis: _both(there["grid"].get(axis), own) for axis, own in both.items()}
    return {**content, "grid": grid}


def _compared(content: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What must be the same, under dotted keys: settings, and data sets that both have."""
    data, others = (each.get("grid", {}).get("data", {}) for each in (content, other))
    if not isinstance(data, Mapping) or not isinstance(others, Mapping):
        data = {}
    common = {label: own for label, own in data.items() if label in others}
    return flat({**{key: content.get(key) or {} for key in SAME}, "grid.data": common})


def _both(old: Any, new: Any) -> Any:
    if isinstance(new, Mapping):
        return {**(old or {}), **new}
    return [*(old or ()), *(value for value in new if value not in (old or ()))]


def plain(name: str, content: Any) -> dict[str, Any]:
    """As a file would hold it: no tuples, no `Path`s."""
    data = (content.get("grid") or {}).get("data") if isinstance(content, Mapping) else None
    if not isinstance(data, Mapping) or not data:
        raise PluginError(f"protocol `{name}` gives no grid with data sets under labels (`data`)")
    return json.loads(json.dumps(content, default=str))


def _check_backbone(name: str, content: Mapping[str, Any]) -> None:
    base = content["base"].get("backbone")
    named = base.get("name") if isinstance(base, Mapping) else base
    if "backbone" not in content["grid"] and not named:
        raise ConfigError(
            f"protocol `{name}` has no backbone of its own: name one with `--backbone`, a name or a"
            " block such as `{name: point_mae, weights: FILE}`"
        )


def _missing(
    name: str, root: Path, content: Mapping[str, Any], host: PluginHost
) -> Mapping[str, str]:
    if host.find("protocol", name).missing is not None:
        return host.call("protocol", name, "missing", root)
    paths = {k: (own.get("data") or {}).get("path") for k, own in content["grid"]["data"].items()}
    return {
        label: f"there is no `{path}`"
        for label, path in paths.items()
        if path and not Path(path).exists()
    }


def is_name(word: Path) -> bool:
    """Whether a word on the command line is a protocol's name, and no file's."""
    plain = word.suffix not in (".yaml", ".yml", ".json") and word.name == str(word)
    return plain and not word.is_file()
