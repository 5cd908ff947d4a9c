"""Whose settings the methods of a table were trained with, where a grid takes presets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

SHOWN = 3
"""Presets of a method that are named, before the rest is a number."""


def recipes(
    taken: Sequence[tuple[str, str, str | None]], templates: Sequence[str]
) -> Iterator[str]:
    """A sentence for the methods with presets, and one for the others.

    Args:
        taken: Method, data set by its label, and preset, of every cell that is done.
        templates: The names that the grid asks for; `{data}` stands for a data set.
    """
    presets: dict[str, dict[str, str | None]] = {}
    for method, data, preset in taken:
        presets.setdefault(method, {})[data] = preset
    own = {method: told for method, each in presets.items() if (told := _told(each, templates))}
    if own:
        each = "; ".join(f"`{method}` ({told})" for method, told in own.items())
        yield f"Trained by presets of their own: {each}."
    if others := [method for method, each in presets.items() if None in each.values()]:
        names = ", ".join(f"`{method}`" for method in others)
        also = ", on data sets without a preset," if own.keys() & set(others) else ""
        yield f"Trained{also} by what the grid gives to methods without a preset: {names}."


def _told(each: Mapping[str, str | None], templates: Sequence[str]) -> str:
    """`vtab1k-cifar`, `vtab1k-dtd`, `vtab1k-pets` and 16 more; `pb_t50_rs` on `obj_bg`."""
    fitting, general = [], {}
    for data, preset in each.items():
        if preset is None:
            continue
        if any(t.replace("{data}", data) == preset for t in templates if "{data}" in t):
            fitting.append(preset)
        else:
            general.setdefault(preset, []).append(data)
    more = f" and {len(fitting) - SHOWN} more" if len(fitting) > SHOWN else ""
    parts = [", ".join(f"`{preset}`" for preset in fitting[:SHOWN]) + more] if fitting else []
    for preset, where in general.items():
        on = "" if len(where) == len(each) else f" on {', '.join(f'`{data}`' for data in where)}"
        parts.append(f"`{preset}`{on}")
    return "; ".join(parts)
