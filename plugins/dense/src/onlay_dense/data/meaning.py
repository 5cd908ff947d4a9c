"""What the settings of a data set say of its masks, as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from onlay.errors import DataError
from onlay.reading.delimited import read_table
from onlay.reading.listing import some
from onlay.reading.tar_samples import class_names
from onlay.tasks.class_maps import VOID
from onlay_dense.data.config import MaskFolderConfig
from onlay_dense.data.table import UNKNOWN, ClassTable, code, colour

_NAMES = ("name", "class", "label", "class_name")
_VALUES = ("value", "id", "index", "train_id")
_COLOURS = (("r", "red"), ("g", "green"), ("b", "blue"))

_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")
"""`int` also takes `1_0`."""

Pairs = Sequence[tuple[int, str]]


def table_of(config: MaskFolderConfig) -> ClassTable:
    """Numbers or colours, and the classes in their order.

    Raises:
        DataError: a file of classes that is none; a void class or a listed one that there is not; a
            number or colour of two classes.
    """
    pairs, rest, coloured = _pairs(config)
    return made(pairs, rest, coloured=coloured, void=config.void, order=config.labels)


def made(
    pairs: Pairs,
    rest: str | None = None,
    *,
    coloured: bool = False,
    void: Sequence[int | str] = (),
    order: Sequence[str] | None = None,
) -> ClassTable:
    """Of pairs of what is stored and what it is called; `order` are the classes, if told.

    Raises:
        DataError: see `table_of`.
    """
    _refuse_two_meanings(pairs, coloured=coloured)
    names = list(dict.fromkeys([*(name for _, name in pairs), *([rest] if rest else [])]))
    dropped = {name for name in void if isinstance(name, str)}
    _refuse(dropped - set(names), "data.void", names)
    classes = [name for name in names if name not in dropped]
    if order is not None:
        _refuse([name for name in classes if name not in order], "data.values", order)
        classes = list(order)
    places = {name: place for place, name in enumerate(classes)} | dict.fromkeys(dropped, VOID)
    stored = {value: places[name] for value, name in pairs}
    stored |= {value: VOID for value in void if isinstance(value, int)}
    return ClassTable(
        labels=tuple(classes),
        stored=stored,
        rest=UNKNOWN if rest is None else places[rest],
        coloured=coloured,
    )


def _refuse_two_meanings(pairs: Pairs, *, coloured: bool) -> None:
    named: dict[int, str] = {}
    for value, name in pairs:
        other = named.setdefault(value, name)
        if other != name:
            what = f"the colour {list(colour(value))}" if coloured else f"the number {value}"
            raise DataError(f"{what} is of two classes, `{other}` and `{name}`: of which is it?")


def _refuse(strangers: Iterable[str], setting: str, known: Sequence[str]) -> None:
    if strangers := sorted(strangers):
        raise DataError(f"`{setting}` names {some(strangers)}, and the classes are {some(known)}")


def _pairs(config: MaskFolderConfig) -> tuple[Pairs, str | None, bool]:
    """What is stored and what it is called; the name of the rest; whether these are colours."""
    if config.colours is not None:
        return [(code(rgb), name) for name, rgb in config.colours.items()], None, True
    if config.values is not None:
        values = [(v, name) for v, name in config.values.items() if isinstance(v, int)]
        return values, config.values.get("rest"), False
    if config.classes is not None:
        return _of_file(config.classes)
    return list(enumerate(config.labels or ())), None, False


def _of_file(path: Path) -> tuple[Pairs, None, bool]:
    columns, lines = read_table(path)
    named = {column.casefold(): place for place, column in enumerate(columns)}
    name = _first(named, _NAMES)
    if name is None:
        return list(enumerate(class_names(path) or ())), None, False
    colours = [_first(named, each) for each in _COLOURS]
    value = _first(named, _VALUES)
    found = [place for place in colours if place is not None]
    if len(found) == len(_COLOURS):
        return [(code(_whole(c, found, n, path)), c[name]) for n, c in lines if any(c)], None, True
    if value is None:
        raise DataError(f"`{path}` has neither a column `value` nor `r`, `g` and `b`")
    return [(_whole(c, [value], n, path)[0], c[name]) for n, c in lines if any(c)], None, False


def _first(named: Mapping[str, int], names: Sequence[str]) -> int | None:
    return next((named[name] for name in names if name in named), None)


def _whole(cells: Sequence[str], places: Sequence[int], number: int, path: Path) -> list[int]:
    own = [cells[place].strip() for place in places if place < len(cells)]
    if len(own) < len(places) or not all(_WHOLE.fullmatch(cell) for cell in own):
        raise DataError(f"line {number} of `{path}` does not have whole numbers there")
    return [int(cell) for cell in own]
