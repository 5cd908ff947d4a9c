"""`python .ci/lend_bytecode.py FROM TO...`: environments get what Python compiled in another one.

A compiled module counts as long as its source has the time and the size that it had, and uv links
the same files into every environment; without this each compiles torch anew, ten seconds a time.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path


def packages(environment: str) -> Path:
    return next(Path(environment, "lib").glob("python*/site-packages"))


def compiled(here: Path) -> Iterator[tuple[Path, Path]]:
    """Sources and what was made of them, from one `site-packages`, as paths inside it."""
    for file in here.rglob("__pycache__/*.cpython-*.pyc"):
        source = file.parents[1] / f"{file.name.partition('.')[0]}.py"
        yield source.relative_to(here), file.relative_to(here)


def lend(here: Path, there: Path, made: list[tuple[Path, Path]]) -> int:
    """How many were linked: those whose source is the same file in both."""
    lent = [file for source, file in made if same(here / source, there / source)]
    missing = [file for file in lent if not (there / file).exists()]
    for file in missing:
        (there / file).parent.mkdir(exist_ok=True)
        os.link(here / file, there / file)
    return len(missing)


def same(one: Path, other: Path) -> bool:
    return one.is_file() and other.is_file() and one.samefile(other)


if __name__ == "__main__":
    here = packages(sys.argv[1])
    made = list(compiled(here))
    for environment in sys.argv[2:]:
        print(f"{lend(here, packages(environment), made):6} modules compiled for {environment}")
