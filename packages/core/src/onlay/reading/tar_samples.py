"""Samples in tars: members of one name up to its first dot are one sample (`17.jpg`, `17.cls`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onlay.errors import DataError
from onlay.reading.finding import hidden
from onlay.reading.labels import LIST_THEM, missing
from onlay.reading.listing import Item, some
from onlay.reading.name_lines import name_lines
from onlay.reading.tars import Member, Shard


@dataclass(frozen=True)
class TarSamples:
    """What of a sample is what."""

    inputs: Sequence[str]
    """Suffixes without a dot (`jpg`, `seg.png`) of what is read, the preferred first."""
    target: str
    """The suffix of what holds the label: `cls`, its number or name, or `json`."""
    field: str
    """The key of the label in a `json`."""
    names: Sequence[str] | None
    """Names of the classes 0, 1, ..., if labels are numbers."""

    def items(self, path: Path, notes: list[str]) -> list[Item]:
        """The samples of one tar, in its order.

        Raises:
            DataError: what `Shard.of` raises; two members of one name; a sample without a label, or
                with one that is none.
        """
        shard = Shard.of(path)
        samples = _samples(shard)
        own = {key: one for key, one in samples.items() if self._input(one)}
        if len(own) < len(samples):
            bare = len(samples) - len(own)
            notes.append(f"left out: {bare:,} samples of `{path}` without any of {self._suffixes}")
        return [
            Item(self._input(one), self._label(shard, key, one), f"{path.name}/{key}")
            for key, one in own.items()
        ]

    @property
    def _suffixes(self) -> str:
        return some([f".{suffix}" for suffix in self.inputs])

    def _input(self, sample: Mapping[str, Member]) -> Member | None:
        return next((sample[suffix] for suffix in self.inputs if suffix in sample), None)

    def _label(self, shard: Shard, key: str, sample: Mapping[str, Member]) -> str:
        member = sample.get(self.target)
        if member is None:
            have = ", ".join(f"`{key}.{suffix}`" for suffix in sample)
            raise DataError(
                f"the shard `{shard.path}` has no label `{key}.{self.target}` beside {have}: say"
                " by `data.target` where labels are"
            )
        label = self._read(member)
        if missing(label):
            raise DataError(
                f"`{member}` has the label `{label}`, which is none: take the sample out,"
                f" {LIST_THEM}"
            )
        return label if self.names is None else self._named(label, member)

    def _read(self, member: Member) -> str:
        try:
            text = member.read().decode()
            found = json.loads(text)[self.field] if self.target == "json" else text.strip()
        except UnicodeDecodeError as error:
            raise DataError(f"`{member}` is no text in UTF-8") from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"`{member}` is no JSON with a key `{self.field}`: say another by `data.label`"
            ) from error
        if isinstance(found, bool) or not isinstance(found, int | str):
            raise DataError(f"`{member}` has the label `{found!r}`, which is no text or number")
        return str(found)

    def _named(self, label: str, member: Member) -> str:
        assert self.names is not None
        if label in self.names:
            return label
        if not label.isdecimal() or int(label) >= len(self.names):
            raise DataError(
                f"`{member}` has the label `{label}`, and `data.classes` names {len(self.names)}"
                " classes"
            )
        return self.names[int(label)]


def _samples(shard: Shard) -> dict[str, dict[str, Member]]:
    samples: dict[str, dict[str, Member]] = {}
    for name, member in shard.members():
        if any(hidden(step) for step in name.split("/")):
            continue
        key, suffix = split_name(name)
        own = samples.setdefault(key, {})
        if suffix in own:
            raise DataError(
                f"the shard `{shard.path}` has two members of one key: `{own[suffix].name}` and"
                f" `{name}`"
            )
        own[suffix] = member
    return samples


def split_name(name: str) -> tuple[str, str]:
    """The key of a sample and what the member is of it: `("cat/1", "seg.png")`."""
    folder, slash, last = name.rpartition("/")
    stem, _, suffix = last.partition(".")
    return folder + slash + stem, suffix.lower()


def class_names(path: Path | None) -> tuple[str, ...] | None:
    """A name on each line of a file.

    Raises:
        DataError: no such file, or none of text; an empty line before others; a name that is there
            twice.
    """
    if path is None:
        return None
    try:
        names = tuple(name_lines(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the names of classes `{path}` cannot be read as text") from error
    twice = next((name for n, name in enumerate(names) if name in names[:n]), None)
    if twice is not None:
        raise DataError(f"`{path}` names the class `{twice}` twice")
    return names
