"""A confusion matrix as a picture.

Shapes: C classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

NUMBERED = 25
"""Classes up to which cells hold their numbers."""
NAMED = 60
"""Classes up to which rows and columns have names."""
_LETTERS = 16
"""Of a name, before it is cut."""


def confusion_svg(counts_CC: np.ndarray, labels: Sequence[str]) -> str:
    """True classes are rows, predicted ones columns; a cell is the darker, the larger its share of
    its row. Every cell says on hover what it is.

    >>> confusion_svg(np.array([[2, 0], [1, 1]]), ["cat", "dog"]).count("<rect")
    4
    """
    count = len(labels)
    cell = max(4, min(40, 640 // count))
    names = count <= NAMED
    left = 30 + (7 * max(len(_cut(label)) for label in labels) if names else 0)
    size, marks = left + count * cell + 1, [*_cells(counts_CC, labels, cell, left)]
    if names:
        marks += [*_names(labels, cell, left)]
    middle = left + count * cell / 2
    marks.append(f'<text x="{middle:.0f}" y="14" text-anchor="middle" fill="#555">predicted</text>')
    marks.append(
        f'<text transform="translate(14 {middle:.0f}) rotate(-90)" text-anchor="middle"'
        ' fill="#555">true</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" width="{size}"'
        ' font-family="system-ui, DejaVu Sans, sans-serif" font-size="12">'
        f"<title>Confusion matrix</title>{''.join(marks)}</svg>"
    )


def _cells(counts_CC: np.ndarray, labels: Sequence[str], cell: int, left: int) -> Iterator[str]:
    """A frame, and whatever is not zero."""
    side = len(labels) * cell
    yield f'<rect x="{left}" y="{left}" width="{side}" height="{side}" fill="#fff" stroke="#999"/>'
    shares_CC = counts_CC / np.maximum(counts_CC.sum(1, keepdims=True), 1)
    for row, column in np.argwhere(counts_CC):
        share, number = float(shares_CC[row, column]), int(counts_CC[row, column])
        x, y = left + column * cell, left + row * cell
        hue = "0 114 178" if row == column else "213 94 0"
        said = f"{labels[row]}, taken for {labels[column]}: {number:,} ({100 * share:.1f} %)"
        yield (
            f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}"'
            f' fill="rgb({hue} / {0.08 + 0.92 * share:.2f})"><title>{escape(said)}</title></rect>'
        )
        if len(labels) <= NUMBERED:
            ink = "#fff" if share > 0.55 else "#222"
            yield (
                f'<text x="{x + cell / 2:.0f}" y="{y + cell / 2 + 4:.0f}" text-anchor="middle"'
                f' fill="{ink}" font-size="{_fitting(number, cell)}" pointer-events="none">'
                f"{number}</text>"
            )


def _fitting(number: int, cell: int) -> int:
    return min(12, int(1.5 * cell / max(len(str(number)), 2)))


def _names(labels: Sequence[str], cell: int, left: int) -> Iterator[str]:
    size = min(12, max(6, cell))
    for place, label in enumerate(labels):
        at, name = left + (place + 0.5) * cell, escape(_cut(label))
        yield (
            f'<text x="{left - 5}" y="{at + 4:.0f}" text-anchor="end" font-size="{size}">'
            f"{name}</text>"
            f'<text transform="translate({at + 4:.0f} {left - 5}) rotate(-90)"'
            f' font-size="{size}">{name}</text>'
        )


def _cut(label: str) -> str:
    return label if len(label) <= _LETTERS else label[: _LETTERS - 1] + "\u2026"
