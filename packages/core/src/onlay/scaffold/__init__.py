"""Packages to begin a plugin with: real ones, in `templates`, under another name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from keyword import kwlist
from pathlib import Path
from tempfile import TemporaryDirectory

from onlay.errors import ConfigError, RunError
from onlay.host import PluginHost
from onlay.host.firstparty import BROUGHT_BY, distribution_of
from onlay.machine.disk import writing

KINDS = {
    "method": "method",
    "backbone": "backbone",
    "task": "task",
    "dataset": "data set",
    "modality": "modality",
    "exporter": "exporter",
    "optimizer": "optimizer",
    "decoder": "decoder",
}
"""Each with the words for it; the names are those of the folders in `templates`."""

WORD_ENDS = re.compile(r"[-_]+|(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])")
NO_NAMES = {word.lower() for word in kwlist} | {"null"}
"""Words of Python and of YAML, which would be read as something else."""


@dataclass(frozen=True)
class Names:
    """One name in the four spellings that a package needs.

    >>> names = Names.of("MyMethod")
    >>> names.registered, names.distribution, names.package, names.classes
    ('my_method', 'onlay-my-method', 'onlay_my_method', 'MyMethod')
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Names:
        """From `my-method`, `my_method`, `MyMethod` or `onlay-my-method`.

        Raises:
            ConfigError: it makes no identifier, or is a word of Python's or YAML's.
        """
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", text):
            raise ConfigError(
                f"`{text}` cannot name a package: use letters, digits, `-` and `_`,"
                " and begin with a letter"
            )
        words = tuple(word.lower() for word in WORD_ENDS.split(text) if word)
        names = cls(words[1:] if words[0] == "onlay" and len(words) > 1 else words)
        if names.registered in NO_NAMES:
            raise ConfigError(
                f"`{text}` is a word of Python or YAML and would be read as that: choose another"
                " name"
            )
        if not names.registered.isidentifier():
            raise ConfigError(f"`{text}` cannot name a package: begin with a letter")
        return names

    @property
    def registered(self) -> str:
        return "_".join(self.words)

    @property
    def distribution(self) -> str:
        return f"onlay-{'-'.join(self.words)}"

    @property
    def package(self) -> str:
        return f"onlay_{self.registered}"

    @property
    def classes(self) -> str:
        return "".join(word.capitalize() for word in self.words)

    def filled(self, text: str, kind: str) -> str:
        """A template's text, or the name of one of its files, under these names."""
        own = {
            f"my_{kind}": self.registered,
            f"my-{kind}": "-".join(self.words),
            f"My{kind.capitalize()}": self.classes,
        }
        return re.sub("|".join(own), lambda found: own[found[0]], text)


def refuse_taken(kind: str, names: Names, host: PluginHost) -> None:
    """Raise a `ConfigError` for a name of Onlay's own, or of a plugin that is installed."""
    name = names.registered
    ours = names.distribution if names.distribution in BROUGHT_BY else distribution_of(kind, name)
    if ours or name == "onlay":
        raise ConfigError(f"`{name}` is a name of `{ours or name}`: choose another")
    if name in host.registered(kind):
        raise ConfigError(
            f"there is a {KINDS[kind]} `{name}` already, in `{host.owner(kind, name)}`:"
            " choose another name"
        )
    for record in host.plugins:
        if name == record.name or names.distribution == _canonical(record.distribution):
            raise ConfigError(
                f"there is a plugin `{name}` already, `{record}`: choose another name"
            )


def write(kind: str, names: Names, into: Path) -> Path:
    """A package of that kind in a new folder of `into`: all of it, or nothing.

    Raises:
        ConfigError: under this name two of its files would be one.
        RunError: the folder is there and holds something, or cannot be written.
    """
    target = into / names.distribution
    with writing(target):
        if not into.is_dir():
            raise RunError(f"there is no folder `{into}` to write into: make it first")
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise RunError(f"`{target}` is there already: give another name or remove it")
        with TemporaryDirectory(dir=into, prefix=f".{names.distribution}-") as scratch:
            fresh = Path(scratch) / names.distribution
            for path, text in _template(files("onlay.scaffold") / "templates" / kind):
                file = fresh / names.filled(path, kind)
                if file.exists():
                    raise ConfigError(
                        f"`{names.registered}` gives two files of the package one name,"
                        f" `{file.relative_to(fresh).as_posix()}`: choose another name"
                    )
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(names.filled(text, kind), encoding="utf-8", newline="\n")
            if target.exists():  # empty; not every system renames over it
                target.rmdir()
            fresh.rename(target)
    return target


def _template(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Path and text of every file; what Python and other tools leave there is none of them."""
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = prefix + entry.name
        if entry.name.startswith(".") or entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _template(entry, f"{path}/")
        else:
            yield path, entry.read_text(encoding="utf-8")


def _canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()
