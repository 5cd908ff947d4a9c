"""Where a method acts in a block, as a picture that is drawn from what `zoo.json` has of it.

The block's layers and sites lie in two rows; what the method adds hangs below them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from block_rows import BLUE, GREEN, LAYERS, ORANGE, PINK, ROWS, Row

WHOLE = ("position.out", "embed.out", "tokens.in", "norm.out")
NAMES = tuple(name for row in LAYERS for name in row)
TRAINABLE = tuple(name for name in NAMES if name not in ("attention", "act"))


def picture(method: str, acts: Mapping[str, list[Any]]) -> str:
    """The drawing of one method, which can be read aloud."""
    name = f"acts-{method.replace('_', '-')}"
    first = Row(0, 100, name)
    loose = hung(first, acts)
    second = Row(1, first.bottom + 84, name)
    loose &= hung(second, acts)
    copied = {*map(short, acts.get("thaw", ()))}
    copied |= {*TRAINABLE} if copied & {"weight", "bias"} else set()
    marked = dict.fromkeys(copied, ORANGE)
    marked |= dict.fromkeys(map(short, acts.get("replace", ())), BLUE)
    lines = [*first.frozen(marked), *joined(first, second), *second.frozen(marked)]
    for row in (first, second):
        lines += [*row.drawn, *row.named()]
    legend = list(told(acts, loose))
    lines += [
        Row.word(460, second.bottom + 22 + 22 * n, text, "1") for n, text in enumerate(legend)
    ]
    height = second.bottom + 22 + 22 * len(legend)
    return framed(name, method, aloud(acts), height, lines)


def hung(row: Row, acts: Mapping[str, list[Any]]) -> set[str]:
    """Draw what happens in one row; gives the verbs of which something lies outside of blocks."""
    for (site,), parts in together([[site] for site in acts.get("rewrite", ())]).items():
        if lies(row, site):
            row.hang(row.at(site), f"m({', '.join(parts) or 'x'})", BLUE)
    for (*sources, end), parts in together(acts.get("branch", ())).items():
        branch(row, sources, end, f"m {', '.join(parts)}".rstrip())
    for site in filter(lambda s: lies(row, s), acts.get("insert", ())):
        row.hang(row.at(site), "tokens", PINK, down=False)
    if acts.get("extend") and "attention" in row.layers:
        row.hang(485, "k, v", PINK, down=False)
    if any(wire[-1] == "block.out" for wire in acts.get("carry", ())) and lies(row, "block.out"):
        row.hang(row.at("block.out"), "carried", GREEN)
    return {verb for verb, all in acts.items() for place in all if named_outside(verb, place)}


def together(wires: Iterable[list[str]]) -> dict[tuple[str, ...], list[str]]:
    """Wires, without parts of sites (`q`) -> the parts in which those end that are alike."""
    found: dict[tuple[str, ...], list[str]] = {}
    for wire in wires:
        names = tuple(".".join(site.split(".")[:2]) for site in wire)
        found.setdefault(names, []).extend(wire[-1].split(".")[2:])
    return found


def lies(row: Row, site: str) -> bool:
    """Whether a site is drawn in this row; where the two meet, in the second."""
    return site in row.sites and not (site == "mlp.res" and row.sites is ROWS[0])


def branch(row: Row, sources: list[str], end: str, text: str) -> None:
    """Where its end lies in this row: what reads its own site hangs, all else leads there."""
    behind = sources == [end]
    if not (lies(row, end) if behind or end != "mlp.res" else row.sites is ROWS[0]):
        return
    if behind or sources[-1] not in row.sites:
        row.hang(row.at(end), text, GREEN, down=behind)
    else:
        row.lead(row.at(sources[-1]), row.at(end), text)


def short(path: str) -> str:
    """`fc1` of `mlp.fc1`, `qkv` of `attn.qkv.q`."""
    words = path.split(".")
    return next((word for word in words if word in NAMES), words[-1])


def named_outside(verb: str, place: Any) -> bool:
    if verb in ("thaw", "replace"):
        return short(place) not in NAMES
    target = place if isinstance(place, str) else place[-1]
    return target in WHOLE


def told(acts: Mapping[str, list[Any]], loose: set[str]) -> Iterator[str]:
    """What is outside of the block, in words."""
    for verb in filter(loose.__contains__, acts):
        places = [worded(p, "→") for p in acts[verb] if named_outside(verb, p)]
        yield f"{verb}: {', '.join(places)}"


def aloud(acts: Mapping[str, list[Any]]) -> str:
    """Everything, for who hears the picture."""
    all = (f"{verb} {', '.join(worded(p, 'to') for p in acts[verb])}" for verb in acts)
    return "; ".join(all) or "nothing but the head is trained"


def worded(place: Any, to: str) -> str:
    """A place, or `mlp.res to block.out`."""
    if isinstance(place, str):
        return place
    *sources, target = place
    return f"{' and '.join(sources)} {to} {target}"


def joined(first: Row, second: Row) -> Iterator[str]:
    """From the end of the first row to the beginning of the second."""
    middle = second.y - 62
    path = f"M800 {first.y} H900 V{middle} H14 V{second.y} H60"
    yield f'<path d="{path}" marker-end="url(#{first.name}-tip)"/>'


def framed(name: str, method: str, said: str, height: int, lines: list[str]) -> str:
    tip = (
        f'<marker id="{name}-tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
        ' markerHeight="7" orient="auto-start-reverse">'
        '<path d="M0 1 L9 5 L0 9 Z" fill="context-stroke" stroke="none"/></marker>'
    )
    return "\n".join([
        '<svg class="block-picture" xmlns="http://www.w3.org/2000/svg" width="100%" role="img"'
        f' viewBox="0 30 920 {height - 30}" aria-labelledby="{name}-title {name}-desc" fill="none"'
        ' stroke="currentColor" stroke-width="1.6" font-size="15"'
        " font-family=\"ui-monospace, 'DejaVu Sans Mono', monospace\">",
        f'<title id="{name}-title">Where {escape(method)} acts in a block</title>',
        f'<desc id="{name}-desc">{escape(said)}</desc>',
        f"<defs>{tip}</defs>",
        *lines,
        "</svg>",
    ])  # fmt: skip
