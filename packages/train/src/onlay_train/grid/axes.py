"""The combinations of a grid's axes, each with the labels by which a table names it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import PurePath
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from onlay.config.overrides import merged
from onlay.config.run import BLOCKS, RunConfig, widened
from onlay.errors import ConfigError, OnlayError
from onlay_train.folder import flat
from onlay_train.grid.controls import HOME, rows
from onlay_train.grid.file import GridConfig, PresetConfig, RecipesConfig
from onlay_train.grid.sizes import NOTHING, asked, is_size, settled

if TYPE_CHECKING:
    from onlay.host import PluginHost


@dataclass(frozen=True)
class Value:
    """One value of an axis."""

    label: str
    """What tables say."""
    fragment: Mapping[str, Any] = field(default_factory=dict)
    """A piece of a run file."""
    overrides: tuple[str, ...] = ()
    """Words such as `train.seed=3`."""
    given: Any = None
    """As the file has it."""
    control: str = ""
    """Which of the grid's `controls` it is, if any."""


ALWAYS = {"train": {"evaluate_train": True}}
"""What cells do unless `base` says otherwise: without the training part's figure nobody can tell
too short a training from too large an adapter."""

NONE = "-"
"""The label of an axis that says nothing of a combination."""

Point = Mapping[str, Value]
"""One combination: axis -> value."""


def points(grid: GridConfig, host: PluginHost) -> list[Point]:
    """Every combination that is not skipped, in the file's order; the last axis moves first.

    Raises:
        ConfigError: an axis is no field of a run, or has a value twice.
    """
    axes = values_of(grid, host)
    for axis, values in axes.items():
        _check_different(axis, values)
    for skip in grid.skip:
        _check_skip(skip, axes)
    every = (dict(zip(axes, chosen, strict=True)) for chosen in product(*axes.values()))
    every = (_alone(point) for point in every if _is_once(point, axes))
    return [point for point in every if not any(matches(point, skip) for skip in grid.skip)]


def _check_skip(skip: Mapping[str, Any], axes: Mapping[str, Sequence[Value]]) -> None:
    """What leaves out nothing, or everything, is a slip."""
    if not skip:
        raise ConfigError("skip: an entry is empty, and would leave out every cell")
    for axis, wanted in skip.items():
        if axis not in axes:
            raise ConfigError(f"skip: `{axis}` is no axis (have: {', '.join(axes)})")
        whole = any(value.given == wanted for value in axes[axis])
        several = isinstance(wanted, list) and wanted and not whole
        for one in wanted if several else [wanted]:
            if not any(_is(value, one) for value in axes[axis]):
                have = ", ".join(value.label for value in axes[axis])
                raise ConfigError(f"skip.{axis}: `{one}` is none of its values (have: {have})")


def values_of(grid: GridConfig, host: PluginHost) -> dict[str, list[Value]]:
    """Axis -> its values; controls stand behind the methods, but for those that are among them
    under the same label, which are controls as they are."""
    axes = {axis: list(_values(axis, values, host)) for axis, values in grid.grid.items()}
    for control, label, piece in rows(grid, host):
        own = axes[HOME]
        there = next((n for n, value in enumerate(own) if value.label == label), None)
        if there is None:
            own.append(Value(label, piece, given=label, control=control))
        else:
            own[there] = replace(own[there], control=control)
    return axes


def _is_once(point: Point, axes: Mapping[str, Sequence[Value]]) -> bool:
    """A control on a network of its own is one, however many backbones are compared."""
    return not _has_own_network(point) or point["backbone"] is axes["backbone"][0]


def _alone(point: Point) -> Point:
    """Tables name no other network beside such a control."""
    return {**point, "backbone": Value(NONE)} if _has_own_network(point) else point


def _has_own_network(point: Point) -> bool:
    control = point[HOME].control if HOME in point else ""
    return bool(control) and "backbone" in point[HOME].fragment and "backbone" in point


def _check_different(axis: str, values: Sequence[Value]) -> None:
    seen: set[str] = set()
    for value in values:
        if value.label in seen:
            raise ConfigError(
                f"grid.{axis}: `{value.label}` is there twice; two that a table would call the same"
                " need labels: `{short: {...}, long: {...}}`"
            )
        seen.add(value.label)


def matches(point: Point, asked: Mapping[str, Any]) -> bool:
    """Whether a combination has all these values; text may be a label, a name or a pattern."""
    return all(_is(point[axis], wanted) for axis, wanted in asked.items())


def labels(point: Point) -> dict[str, str]:
    return {axis: value.label for axis, value in point.items()}


def control_of(point: Point) -> str:
    """Which control a combination is, or nothing."""
    return next((value.control for value in point.values() if value.control), "")


def assembled(
    grid: GridConfig, point: Point, host: PluginHost, known: Mapping[str, str] = NOTHING
) -> tuple[dict, list[str]]:
    """What `onlay.config.resolve` takes: the content of a run file, and words. `known` are facts,
    the sizes among them that other methods say."""
    data = settled(content(grid, point, host), known, host)
    return data, [word for value in point.values() for word in value.overrides]


def lacks_size(grid: GridConfig, point: Point, host: PluginHost, known: Mapping[str, str]) -> bool:
    """Whether a combination has a size that another method says, and that is not worked out."""
    blocks = [grid.base.get("method"), *(v.fragment.get("method") for v in point.values())]
    if not any(is_size(v) for b in blocks if isinstance(b, Mapping) for v in b.values()):
        return False
    wanted = asked(content(grid, point, host), host)
    return wanted is not None and wanted["key"] not in known


def content(grid: GridConfig, point: Point, host: PluginHost) -> dict[str, Any]:
    """The content of a run file, with sizes that other methods say as they are asked for."""
    data: dict[str, Any] = widened(merged(ALWAYS, grid.base), host)
    for value in sorted(point.values(), key=lambda value: bool(value.control)):
        data = _over(data, widened(value.fragment, host))
    if grid.recipes is not None and "preset" not in data:
        data = _by_recipe(grid.recipes, data, point, host)
    return data


def is_seed(axis: str) -> bool:
    """Axes over which one takes means: `train.seed`, `data.split_seed`, `data.fold`."""
    last = axis.rpartition(".")[2]
    return last in ("seed", "fold") or last.endswith("_seed")


def _by_recipe(
    recipes: RecipesConfig, data: dict[str, Any], point: Point, host: PluginHost
) -> dict[str, Any]:
    """With the first preset that the method has, or with what others take."""
    name = str(_name(data.get("method")))
    method, own = host.methods.get(name), recipes.methods.get(name)
    label = point["data"].label if "data" in point else ""
    given = flat(data)
    meant = [preset for preset in recipes.presets if _fits(preset, given)]
    wanted = [preset.name.replace("{data}", label) for preset in meant]
    found = next((preset for preset in wanted if method and preset in method.presets), None)
    if own is None and found is not None:
        return {**data, "preset": found}
    return _over(_fitting(widened(merged(recipes.others, own or {}), host), data, host), data)


def _fits(preset: PresetConfig, given: Mapping[str, Any]) -> bool:
    """Whether a preset is meant for a cell of these values."""
    wanted = preset.when.items()
    return all(fnmatchcase(str(given.get(field, "")), pattern) for field, pattern in wanted)


def _fitting(recipe: dict[str, Any], data: Mapping[str, Any], host: PluginHost) -> dict[str, Any]:
    """Without settings that the backbone has not, such as drop path of a small network."""
    known = host.backbones.get(str(_name(data.get("backbone"))))
    if known is None or "backbone" not in recipe:
        return recipe
    own = {k: v for k, v in recipe["backbone"].items() if k in known.config.model_fields}
    return {**recipe, "backbone": own}


def _over(data: dict[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """A block of another name replaces the block that is there; one without a name is added to."""
    kept = {
        key: value
        for key, value in data.items()
        if not (key in BLOCKS and key in own and _differ(_name(value), _name(own[key])))
    }
    return merged(kept, own)


def _differ(name: Any, other: Any) -> bool:
    return None not in (name, other) and name != other


def _values(axis: str, values: Any, host: PluginHost) -> Iterator[Value]:
    if isinstance(values, Mapping):
        yield from (Value(label, piece, given=label) for label, piece in values.items())
    elif axis in BLOCKS:
        blocks = (block for value in values for block in _blocks(axis, value, host))
        yield from (Value(_named(axis, b, host), {axis: b}, given=b) for b in blocks)
    elif axis in RunConfig.model_fields or axis.partition(".")[0] in {*BLOCKS, "train", "fold"}:
        yield from (
            Value(_short(v), overrides=(f"{axis}={json.dumps(v)}",), given=v) for v in values
        )
    else:
        fields = ", ".join(RunConfig.model_fields)
        raise ConfigError(
            f"grid.{axis}: is no field of a run (have: {fields}, and fields in these such as"
            " `train.lr`); pieces of run files under labels may have any name"
        )


def _blocks(axis: str, value: Any, host: PluginHost) -> Iterator[Any]:
    """`{name: smoa, experts: [4, 16]}` stands for two blocks."""
    if not isinstance(value, Mapping):
        yield value
        return
    several = {
        k: v
        for k, v in value.items()
        if isinstance(v, list) and not _takes_list(axis, value, k, host)
    }
    for chosen in product(*several.values()):
        yield {**value, **dict(zip(several, chosen, strict=True))}


def _takes_list(axis: str, block: Mapping[str, Any], key: str, host: PluginHost) -> bool:
    try:
        config = host.find(BLOCKS[axis].kind, str(block.get("name"))).config
    except OnlayError:  # said where the cell is resolved
        return True
    known = config.model_fields.get(key)
    return known is None or _holds_several(known.annotation)


def _holds_several(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _holds_several(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return any(map(_holds_several, get_args(annotation)))
    kind = origin or annotation
    return isinstance(kind, type) and issubclass(kind, Sequence) and not issubclass(kind, str)


def _named(axis: str, block: Any, host: PluginHost) -> str:
    """`arc`, `smoa(experts=4)`, `image_folder(signs)`."""
    if not isinstance(block, Mapping):
        return str(block)
    field = getattr(
        host.registered(BLOCKS[axis].kind).get(str(block.get("name"))), "catch_all", None
    )
    told = {k: v for k, v in block.items() if k not in ("name", field)}
    name = str(block[field]) if field and field in block else str(block.get("name"))
    words = ", ".join(_told(key, value) for key, value in told.items())
    return f"{name}({words})" if words else name


def _told(key: str, value: Any) -> str:
    if is_size(value):
        like = next(iter(value.values()))
        return f"{key} as {_name(like)}"
    return _short(value) if key == "path" else f"{key}={_short(value)}"


def _short(value: Any) -> str:
    if isinstance(value, str):
        return PurePath(value).name or value
    return json.dumps(value, separators=(", ", "=")).replace('"', "")


def _name(block: Any) -> Any:
    return block.get("name") if isinstance(block, Mapping) else block


def _is(value: Value, wanted: Any) -> bool:
    names = {value.label, str(value.given), str(_name(value.given))}
    if isinstance(wanted, str):
        return any(called(name, wanted) for name in names)
    if value.given == wanted or str(wanted) in names:
        return True
    return isinstance(wanted, list) and any(_is(value, one) for one in wanted)


def called(name: str, pattern: str) -> bool:
    """Whether a name is what was asked for, or fits it as a pattern; labels may have brackets."""
    return name == pattern or fnmatchcase(name, pattern)
