"""What several heads say of one input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onlay.task import Answer, Bars, Input, Raster


@dataclass(frozen=True)
class SeveralAnswer:
    """The answer of each head under its name."""

    answers: Mapping[str, Answer]

    def with_input(self, given: Input) -> SeveralAnswer:
        """Each answer that wants to see its input has seen it."""
        return SeveralAnswer({name: _about(own, given) for name, own in self.answers.items()})

    def line(self) -> str:
        """`parts: road 50 %; depth: 2.3 m`."""
        return "; ".join(f"{name}: {own.line()}" for name, own in self.answers.items())

    def cells(self, top: int | None = None) -> dict[str, str]:
        """Those of all heads, each under the head's name and its own."""
        each = ((name, own.cells(top)) for name, own in self.answers.items())
        return {f"{name} {column}": text for name, cells in each for column, text in cells.items()}

    def row(self, top: int | None = None) -> dict[str, Any]:
        """Likewise."""
        return {name: _row(own, top) for name, own in self.answers.items()}

    def record(self, top: int | None = None) -> dict[str, Any]:
        """The record of each head under its name."""
        return {name: own.record(top) for name, own in self.answers.items()}

    def write(self, folder: Path, stem: str) -> Sequence[Path]:
        """The files of each head, whose names begin with `STEM-HEAD`; of a head without any its
        record."""
        paths = (_written(own, folder, f"{stem}-{name}") for name, own in self.answers.items())
        return [path for own in paths for path in own]

    def drawn(self) -> list[Bars | Raster]:
        """What each head draws, with its name in the titles."""
        return [
            _titled(name, piece)
            for name, own in self.answers.items()
            for piece in getattr(own, "drawn", list)()
        ]

    def beside(self, truth: SeveralAnswer) -> list[Bars | Raster]:
        """How the answer of each head differs from the true one, where there is one."""
        return [
            _titled(name, piece)
            for name, true in truth.answers.items()
            for piece in getattr(self.answers[name], "beside", lambda _: [])(true)
        ]


def _titled(name: str, piece: Bars | Raster) -> Bars | Raster:
    return replace(piece, title=f"{name}: {piece.title}" if piece.title else name)


def _about(answer: Any, given: Input) -> Any:
    return answer.with_input(given) if hasattr(answer, "with_input") else answer


def _row(answer: Any, top: int | None) -> Mapping[str, Any]:
    return answer.row(top) if hasattr(answer, "row") else answer.record(top)


def _written(answer: Any, folder: Path, stem: str) -> Sequence[Path]:
    if hasattr(answer, "write"):
        return answer.write(folder, stem)
    path = folder / f"{stem}.json"
    path.write_text(json.dumps(answer.record(), indent=2) + "\n", encoding="utf-8")
    return [path]
