"""Settings of a size that another method says: `rank: {as_large_as: arc}`.

They are numbers that make a method train about as many parameters, worked out once for each
backbone in a process that may import torch, and kept in `facts.json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from onlay.config.run import BLOCKS
from onlay.errors import ConfigError, OnlayError
from onlay_train.grid.identity import digest

if TYPE_CHECKING:
    from onlay.host import PluginHost

NOTHING: Mapping[str, str] = MappingProxyType({})
WORD = "as_large_as"
LEAST = 1
"""What stands in until the size is known."""


class SizeUnknown(ConfigError):
    """The method that says a size cannot stand on the backbone, or the one that takes it."""


def is_size(value: Any) -> bool:
    """Whether a setting stands for a number that another method says."""
    return isinstance(value, Mapping) and set(value) == {WORD}


def asked(data: Mapping[str, Any], host: PluginHost) -> dict[str, Any] | None:
    """What is to be worked out for the content of a run file, if anything.

    Raises:
        ConfigError: a method with two such settings.
    """
    block = data.get("method")
    if not isinstance(block, Mapping):
        return None
    fields = [name for name, value in block.items() if is_size(value)]
    if not fields:
        return None
    if len(fields) > 1:
        raise ConfigError(f"method.{fields[1]}: one setting may be `{WORD}`, and two are")
    field = fields[0]
    like = BLOCKS["method"].widened(block[field][WORD], host)
    own = {name: value for name, value in block.items() if name != field}
    facts = {"backbone": data.get("backbone"), "method": own, "field": field, "like": like}
    return {**facts, "key": digest(["size", facts])}


def settled(data: dict[str, Any], known: Mapping[str, str], host: PluginHost) -> dict[str, Any]:
    """The same with a number, the least one while it is not known."""
    wanted = asked(data, host)
    if wanted is None:
        return data
    found = known.get(wanted["key"], str(LEAST))
    if not found.isdecimal():
        raise SizeUnknown(f"method.{wanted['field']}: {found}")
    return {**data, "method": {**data["method"], wanted["field"]: int(found)}}


def work_out(wanted: Sequence[Mapping[str, Any]], plugins: Iterable[str]) -> dict[str, str]:
    """Key -> the number, or why there is none. Runs in a process that may import torch."""
    from pathlib import Path

    from onlay.host import PluginHost

    host = PluginHost.discover(files=[Path(file) for file in plugins])
    found = {}
    for each in wanted:
        try:
            found[each["key"]] = str(_number(each, host))
        except OnlayError as error:
            found[each["key"]] = str(error)
    return found


def _number(wanted: Mapping[str, Any], host: PluginHost) -> int:
    """Sizes grow in a straight line with ranks and widths, so two of them say which is nearest."""
    one, two = (_trained(wanted, {wanted["field"]: value}, host) for value in (1, 2))
    if two <= one:
        raise ConfigError(f"a larger `{wanted['field']}` does not train more parameters")
    target = _count(wanted["backbone"], wanted["like"], host)
    return max(LEAST, 1 + round((target - one) / (two - one)))


def _trained(wanted: Mapping[str, Any], setting: Mapping[str, int], host: PluginHost) -> int:
    return _count(wanted["backbone"], {**wanted["method"], **setting}, host)


def _count(backbone: Any, method: Any, host: PluginHost) -> int:
    """Trained parameters of a method, its head apart."""
    from onlay.model.assemble import adapt

    report = adapt(backbone, method, num_classes=2, host=host, verify=False).trainable_report()
    return report.method + report.other
