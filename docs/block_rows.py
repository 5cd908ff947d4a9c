"""Half of a block as a row of layers and sites, with what hangs below it, as pieces of SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape

BLUE, GREEN, PINK, ORANGE = "#5c6bc0", "#00897b", "#d81b60", "#ef6c00"
ROWS = (
    {"block.in": 70, "attn.in": 225, "qkv.out": 390, "attn.out": 668, "mlp.res": 800},
    {"mlp.res": 70, "mlp.in": 225, "fc1.out": 390, "fc2.in": 509, "mlp.out": 670, "block.out": 800},
)
"""Sites -> where they lie from the left; the first row ends where the second begins."""
LAYERS: tuple[dict[str, tuple[int, int]], ...] = (
    {"norm1": (110, 70), "qkv": (280, 60), "attention": (440, 90), "proj": (560, 60)},
    {"norm2": (110, 70), "fc1": (280, 60), "act": (440, 50), "fc2": (530, 60)},
)
"""Layers -> left edge and width."""
LANE, BESIDE = 44, 34
"""Between two things that hang below one row, and between two at one site."""


class Row:
    """One half of a block, and what hangs below it."""

    def __init__(self, number: int, top: int, name: str) -> None:
        self.sites, self.layers = ROWS[number], LAYERS[number]
        self.y, self.name = top, name
        self.lanes: list[list[tuple[int, int]]] = []
        """What is taken of each line below, from left to right."""
        self.touched: Counter[str] = Counter()
        self.drawn: list[str] = []

    @property
    def bottom(self) -> int:
        return self.y + 34 + LANE * len(self.lanes)

    def lane(self, left: int, right: int) -> int:
        """The middle of the first line below that is free there, and on which all lines above are
        free, too, for what leads up from it."""
        free = len(self.lanes)
        while free and all(right < x or end < left for x, end in self.lanes[free - 1]):
            free -= 1
        if free == len(self.lanes):
            self.lanes.append([])
        self.lanes[free].append((left, right))
        return self.y + 10 + LANE * (free + 1)

    def at(self, site: str) -> int:
        """How far from the left, beside what is there already."""
        self.touched[site] += 1
        return self.sites[site] - BESIDE * (self.touched[site] - 1)

    def arrow(self, path: str, colour: str) -> None:
        tip = f'marker-end="url(#{self.name}-tip)"'
        self.drawn.append(f'<path d="{path}" stroke="{colour}" {tip}/>')

    def box(self, x: int, y: int, text: str, colour: str) -> None:
        width = 14 + 9 * max(3, len(text))
        self.drawn.append(
            f'<rect x="{x - width // 2}" y="{y - 14}" width="{width}" height="28" rx="4"'
            f' stroke="{colour}" fill="{colour}" fill-opacity=".15"/>'
            f'<text x="{x}" y="{y + 5}" text-anchor="middle" stroke="none" fill="{colour}">'
            f"{escape(text)}</text>"
        )

    def hang(self, x: int, text: str, colour: str, *, down: bool = True) -> None:
        """A box below a site, which gives it something and may read it."""
        half = 8 + 5 * max(3, len(text))
        y = self.lane(x - half, x + half)
        if down:
            self.arrow(f"M{x - 8} {self.y + 8} V{y - 16}", colour)
        self.arrow(f"M{x + (8 if down else 0)} {y - 14} V{self.y + 10}", colour)
        self.box(x, y, text, colour)

    def lead(self, start: int, end: int, text: str) -> None:
        """From one site to another."""
        y, middle = self.lane(min(start, end), max(start, end)), (start + end) // 2
        half = 7 + 5 * max(3, len(text))
        self.arrow(f"M{start} {self.y + 8} V{y} H{middle - half}", GREEN)
        self.arrow(f"M{middle + half} {y} H{end} V{self.y + 10}", GREEN)
        self.box(middle, y, text, GREEN)

    def frozen(self, marked: Mapping[str, str]) -> Iterator[str]:
        """The line, its layers, with those that train or are replaced in colour."""
        tip, edges = f'marker-end="url(#{self.name}-tip)"', [*self.layers.values()]
        ends = [14, *(x + width for x, width in edges), 744]
        for start, (stop, _) in zip(ends, [*edges, (718, 0), (900, 0)], strict=True):
            yield f'<path d="M{start} {self.y} H{stop - 2}" {tip}/>'
        yield f'<path d="M70 {self.y} V{self.y - 44} H730 V{self.y - 14}" {tip}/>'
        yield f'<circle cx="730" cy="{self.y}" r="12"/>'
        yield f'<path d="M723 {self.y} H737 M730 {self.y - 7} V{self.y + 7}"/>'
        for name, (x, width) in self.layers.items():
            colour = marked.get(name)
            own = f' stroke="{colour}" fill="{colour}" fill-opacity=".15"' if colour else ""
            yield f'<rect x="{x}" y="{self.y - 18}" width="{width}" height="36" rx="4"{own}/>'
            yield self.word(x + width // 2, self.y + 5, name, ".8")

    def named(self) -> Iterator[str]:
        """All sites as dots, with the names of those at which something happens."""
        for name, x in self.sites.items():
            if name in self.touched:
                yield f'<circle cx="{x}" cy="{self.y}" r="6.5" fill="currentColor" stroke="none"/>'
                yield self.word(x if x != 70 else 114, self.y - 26, name, "1")
            else:
                yield f'<circle cx="{x}" cy="{self.y}" r="2.5" fill="currentColor" stroke="none"/>'

    @staticmethod
    def word(x: int, y: int, text: str, opacity: str) -> str:
        return (
            f'<text x="{x}" y="{y}" text-anchor="middle" fill="currentColor" stroke="none"'
            f' opacity="{opacity}">{escape(text)}</text>'
        )
