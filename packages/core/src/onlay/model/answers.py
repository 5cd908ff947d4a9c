"""What answers say, checked: a task's plugin may have made them, and its mistake is told in one
sentence that names it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from onlay.errors import OnlayError, PluginError
from onlay.machine.guard import guarded, in_words
from onlay.model.scales import on_one_scale
from onlay.task import Bars, Raster

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel
    from onlay.task import Answer, Input


@dataclass(frozen=True)
class Answers:
    """Asks the answers of one task."""

    task: str
    """Whose they are, in words: ``task `tags` of plugin `onlay-tags` ``."""

    @classmethod
    def of(cls, model: AdaptedModel) -> Answers:
        """Those of a model's head."""
        made = model.packages.get("task", {}).get("distribution")
        owner = f" of plugin `{made}`" if made else ""
        return cls(f"task `{model.task.name}`{owner}")

    def given(self, head: Any, output: Any, count: int) -> list[Answer]:
        """What a head says of its output for `count` inputs."""
        found = list(self._asked(head, "predict", output))
        if len(found) != count:
            raise PluginError(f"{self.task} gives {len(found)} answers to {count} inputs")
        return found

    def true(self, head: Any, targets: Any) -> Answer | None:
        """What targets of a single input say, of a head that can tell."""
        if not hasattr(head, "truths"):
            return None
        found = list(self._asked(head, "truths", targets))
        if len(found) != 1:
            raise PluginError(f"{self.task} gives {len(found)} truths of one target")
        return found[0]

    def about(self, answer: Answer, given: Input) -> Answer:
        """The answer once it has seen its input, if it wants to."""
        if not hasattr(answer, "with_input"):
            return answer
        return self._asked(answer, "with_input", given)

    def line(self, answer: Answer) -> str:
        """All of it in a few words."""
        text = self._asked(answer, "line")
        return self._text(text, "line", "gives")

    def cells(self, answer: Answer, top: int | None = None) -> dict[str, str]:
        """A row of a table, by column."""
        cells = self._mapping(self._asked(answer, "cells", top), "cells")
        return {k: self._text(v, "cells", f"has under `{k}`") for k, v in cells.items()}

    def record(self, answer: Answer, top: int | None = None) -> dict[str, Any]:
        """What JSON can hold; a number that is not finite is None."""
        record = self._mapping(self._asked(answer, "record", top), "record")
        return self._plain(record, "record")

    def row(self, answer: Answer, top: int | None = None) -> dict[str, str | float | None]:
        """A row of a table for programs: the answer's own, else its record, flattened."""
        if not hasattr(answer, "row"):
            return flat(self.record(answer, top))
        row = self._plain(self._mapping(self._asked(answer, "row", top), "row"), "row")
        return flat(row)

    def drawn(self, answer: Answer) -> Sequence[Bars | Raster]:
        """What a page shows of it; may be empty."""
        return self._pieces(answer, "drawn")

    def compared(self, answer: Answer, truth: Answer) -> list[Bars | Raster]:
        """What a page shows of both, side by side and on one scale, and of how they differ."""
        both = on_one_scale(self.drawn(answer), self.drawn(truth))
        pairs = zip(("prediction", "truth"), both, strict=True)
        found = [titled(word, piece) for word, pieces in pairs for piece in pieces]
        return [*found, *self._pieces(answer, "beside", truth)]

    def _pieces(self, answer: Answer, name: str, *facts: Any) -> Sequence[Bars | Raster]:
        pieces = tuple(self._asked(answer, name, *facts)) if hasattr(answer, name) else ()
        for piece in pieces:
            if not isinstance(piece, Bars | Raster):
                raise self._broken(name, f"has a `{type(piece).__name__}`, no `Bars`, `Raster`")
            if isinstance(piece, Raster):
                self._is_a_map(piece, name)
        return pieces

    def _is_a_map(self, piece: Raster, name: str) -> None:
        """Of two axes, and every index has a label."""
        if len(shape := tuple(piece.values_HW.shape)) != 2:
            raise self._broken(name, f"has under `{piece.title}` the shape {shape}, no map")
        if piece.labels and piece.values_HW.numel():
            least, most = int(piece.values_HW.min()), int(piece.values_HW.max())
            if least < 0 or most >= len(piece.labels):
                told = f"indices {least} to {most} of {len(piece.labels)} labels"
                raise self._broken(name, f"has under `{piece.title}` {told}")

    def files(self, answer: Answer, folder: Path, stem: str, source: Path) -> list[str]:
        """Written into an empty folder: the answer's own files, else its record; their names."""
        if not hasattr(answer, "write"):
            record = {"path": str(source), **self.record(answer)}
            text = json.dumps(record, indent=2, allow_nan=False) + "\n"
            (folder / f"{stem}.json").write_text(text, encoding="utf-8")
            return [f"{stem}.json"]
        told = sorted(Path(path) for path in self._asked(answer, "write", folder, stem))
        if told != (there := sorted(folder.iterdir())) or not told:
            names = [
                ", ".join(f"`{path.name}`" for path in paths) or "none" for paths in (told, there)
            ]
            raise self._broken(
                "write", f"tells of these files: {names[0]}; written are: {names[1]}"
            )
        for path in told:
            if not path.is_file() or not path.name.startswith(stem):
                raise self._broken(
                    "write", f"wrote `{path.name}`, no file whose name begins with `{stem}`"
                )
        return [path.name for path in told]

    def _asked(self, whom: Any, name: str, *facts: Any) -> Any:
        def fail(error: BaseException) -> NoReturn:
            if isinstance(error, OnlayError | OSError):
                raise error
            raise PluginError(f"{self.task} fails in `{name}`: {in_words(error)}") from error

        with guarded(fail):
            return getattr(whom, name)(*facts)
        raise AssertionError("whatever is raised inside is raised again")

    def _mapping(self, found: Any, name: str) -> Mapping[str, Any]:
        if not isinstance(found, Mapping) or not all(isinstance(key, str) for key in found):
            raise self._broken(name, f"gives a `{type(found).__name__}`, not a mapping of texts")
        return found

    def _text(self, found: Any, name: str, where: str) -> str:
        if not isinstance(found, str):
            raise self._broken(name, f"{where} a `{type(found).__name__}`, which must be text")
        return found

    def _plain(self, value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            found = self._mapping(value, place)
            return {key: self._plain(inner, f"{place}.{key}") for key, inner in found.items()}
        if isinstance(value, list | tuple):
            return [self._plain(inner, place) for inner in value]
        if isinstance(value, float):
            return float(value) if math.isfinite(value) else None
        if value is None or isinstance(value, str | bool | int):
            return value
        name, _, key = place.partition(".")
        raise self._broken(
            name, f"has under `{key}` a `{type(value).__name__}`, which JSON cannot hold"
        )

    def _broken(self, name: str, what: str) -> PluginError:
        return PluginError(f"{self.task} gives answers whose `{name}` {what}")


def titled(word: str, piece: Bars | Raster) -> Bars | Raster:
    """A piece of an answer that says whose it is.

    >>> titled("truth", Bars({"cat": 1.0}, title="classes")).title
    'truth: classes'
    """
    return replace(piece, title=f"{word}: {piece.title}" if piece.title else word)


def flat(record: Mapping[str, Any], before: str = "") -> dict[str, str | float | None]:
    """One level: `{"box": {"x": 1}}` becomes `{"box.x": 1}`, and a list its JSON."""
    found: dict[str, str | float | None] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{before}{key}.")
        else:
            found[before + key] = json.dumps(value) if isinstance(value, list) else value
    return found
