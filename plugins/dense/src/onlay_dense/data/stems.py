"""Files of two folders that belong together, found by their stems and never by their order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onlay.errors import DataError
from onlay.reading.finding import find
from onlay.reading.listing import some

MEND = "pairs have one stem, and `data.unpaired=drop` leaves out what has no partner"


@dataclass(frozen=True, kw_only=True)
class Side:
    """Files of one kind in one folder."""

    folder: Path
    noun: str
    """What one is: `mask`."""
    suffixes: Collection[str]
    ending: str = ""
    """What stems end in beside what partners share."""
    setting: str = ""
    """The setting of that: `mask_ending`."""

    def stems(self, notes: list[str], other: Side | None = None) -> dict[str, Path]:
        """Files by the path below the folder without suffix and ending; what ends otherwise, or as
        `other` in the same folder, is none of them.

        Raises:
            DataError: no file, or two of one stem.
        """
        found = find(self.folder, self.suffixes)
        notes.extend(found.notes)
        shared = other.ending if other and other.folder == self.folder else ""
        stems: dict[str, Path] = {}
        for file in found.files:
            stem = file.relative_to(self.folder).with_suffix("").as_posix()
            if not stem.endswith(self.ending) or (shared and stem.endswith(shared)):
                continue
            twin = stems.setdefault(stem.removesuffix(self.ending), file)
            if twin != file:
                raise DataError(
                    f"`{twin}` and `{file}` have one stem, and pairs are found by their stems:"
                    " leave one of them out"
                )
        if not stems:
            ends = f" whose stems end in `{self.ending}`" if self.ending else ""
            raise DataError(f"there are no {self.noun}s in `{self.folder}`{ends}")
        return stems


def matched(images: Side, own: Side, drop: bool, notes: list[str]) -> dict[Path, Path]:
    """Of each image its partner; what was left out (`drop`) goes to the notes.

    Raises:
        DataError: an image without a partner, the other way round, and what `Side.stems` raises.
    """
    ours, theirs = images.stems(notes, own), own.stems(notes)
    if not ours.keys() & theirs.keys():
        raise DataError(
            f"no image has a {own.noun} of its name: images are called like"
            f" `{next(iter(ours.values()))}`, {own.noun}s like `{next(iter(theirs.values()))}`; say"
            f" what stems end in beside, `data.{own.setting}=_{own.noun}` or `data.image_ending`"
        )
    alone = [*_alone("image", own.noun, ours, theirs), *_alone(own.noun, "image", theirs, ours)]
    if alone and not drop:
        raise DataError(f"{' and '.join(alone)}: {MEND}")
    notes.extend(f"left out: {text}" for text in alone)
    return {ours[stem]: theirs[stem] for stem in sorted(ours.keys() & theirs.keys())}


def _alone(
    noun: str, lacking: str, ours: Mapping[str, Path], theirs: Collection[str]
) -> Iterator[str]:
    alone: Sequence[str] = [str(path) for stem, path in ours.items() if stem not in theirs]
    if alone:
        many = f"{len(alone):,} {noun}s have" if len(alone) > 1 else f"one {noun} has"
        yield f"{many} no {lacking} ({some(alone[:2])}{', ...' if len(alone) > 2 else ''})"
