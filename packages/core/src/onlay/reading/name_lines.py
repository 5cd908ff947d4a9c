"""Files with a name on each line, whose place says which number it stands for."""

from __future__ import annotations

from pathlib import Path

from onlay.errors import DataError


def name_lines(path: Path) -> list[str]:
    """The names in order, without blanks around them. Lines end at `\\n`, `\\r\\n` or `\\r` alone:
    a name may hold what Unicode calls a line end as well.

    Raises:
        DataError: an empty line before others, which would give every later name another number.
        OSError, UnicodeDecodeError: no such file, or none of UTF-8.
    """
    lines = path.read_text(encoding="utf-8-sig").rstrip().split("\n")
    names = [line.strip() for line in lines]
    if names == [""]:
        return []
    if "" in names:
        raise DataError(
            f"line {names.index('') + 1} of `{path}` is empty, and the place of a name is its"
            " number: write the name there, or take the line out"
        )
    return names
