"""The files of answers, in one folder: all are there at the end, or none."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from onlay.errors import ConfigError
from onlay.machine.disk import beside, writing

if TYPE_CHECKING:
    from onlay.model.answers import Answers
    from onlay.task import Answer


@contextmanager
def outputs_in(folder: Path, sources: Sequence[Path], answers: Answers) -> Iterator[Outputs]:
    """A folder for the files of answers about `sources`. They are moved there once the block has
    ended well, and take the place of older ones of their names; nothing else there is touched.

    Raises:
        RunError: something cannot be written.
        ConfigError: an input would be overwritten.
    """
    with beside(folder / "answer") as place:
        outputs = Outputs(folder, place.parent, sources, answers)
        yield outputs
        outputs.replaced = sum((folder / name).exists() for name in outputs.names)


class Outputs:
    """Takes answers one by one and writes their files into a scratch folder."""

    def __init__(
        self, folder: Path, scratch: Path, sources: Sequence[Path], answers: Answers
    ) -> None:
        self.folder, self.scratch, self.answers = folder, scratch, answers
        self.stems = dict(zip(sources, stems(sources), strict=True))
        self.inputs = {source.resolve() for source in sources}
        self.names: list[str] = []
        self.added, self.replaced = 0, 0

    def add(self, source: Path, answer: Answer) -> None:
        """Write the files of one answer; another number in their names where one is taken."""
        taken, stem = {name.casefold() for name in self.names}, self.stems[source]
        for number in count(1):
            own = self._written(answer, stem if number == 1 else f"{stem}-{number}", source)
            if not any(path.name.casefold() in taken for path in own):
                break
        for path in own:
            if (self.folder / path.name).resolve() in self.inputs:
                raise ConfigError(
                    f"`{self.folder / path.name}` is one of the files to predict and would be"
                    " overwritten: give another folder to `--out`"
                )
            path.rename(self.scratch / path.name)
        self.names += [path.name for path in own]
        self.added += 1
        shutil.rmtree(self._fresh)

    @property
    def _fresh(self) -> Path:
        return self.scratch / "fresh"

    def _written(self, answer: Answer, stem: str, source: Path) -> list[Path]:
        shutil.rmtree(self._fresh, ignore_errors=True)
        self._fresh.mkdir()
        with writing(self.folder / stem):
            names = self.answers.files(answer, self._fresh, stem, source)
        return [self._fresh / name for name in names]

    def __str__(self) -> str:
        older = f", {self.replaced} of them in the place of older ones" if self.replaced else ""
        return f"{len(self.names)} files of {self.added} answers in {self.folder}{older}"


def stems(paths: Sequence[Path]) -> list[str]:
    """A name for what is written about each file: its stem; where several have the same, as much
    of suffix and folders as tells them apart.

    >>> stems([Path("a.png"), Path("x/b.png"), Path("x/b.tif"), Path("y/c.png"), Path("x/c.png")])
    ['a', 'b-png', 'b-tif', 'y-c', 'x-c']
    """
    groups: dict[str, list[Path]] = {}
    for path in dict.fromkeys(paths):
        groups.setdefault(path.stem.casefold(), []).append(path)
    found = {p: name for same in groups.values() for p, name in _apart(same).items()}
    return [found[path] for path in paths]


def _apart(same: Sequence[Path]) -> dict[Path, str]:
    deepest = max(len(path.resolve().parts) for path in same)
    for folders in range(deepest):
        for suffix in (False, True):
            names = {path: _name(path, folders, suffix=suffix) for path in same}
            if max(Counter(name.casefold() for name in names.values()).values()) == 1:
                return names
    return {path: path.stem for path in same}


def _name(path: Path, folders: int, *, suffix: bool) -> str:
    above = [folder.name for folder in path.resolve().parents if folder.name][:folders]
    end = [path.suffix.removeprefix(".")] if suffix and path.suffix else []
    return "-".join([*reversed(above), path.stem, *end])
