"""Names that data sets give to their parts, in folders and in tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_WORDS = {
    "train": ("train", "training", "trn", "tr"),
    "val": ("val", "valid", "validation", "validate", "vali", "dev", "devel", "development"),
    "test": ("test", "testing", "tst", "te"),
}

_EITHER = {
    **dict.fromkeys(("holdout", "heldout"), ("val", "test")),
    **dict.fromkeys(("eval", "evaluation", "evaluate"), ("test", "val")),
}
"""Words for what is kept aside, to validate on or to test on: the first that no other name has."""

_ASIDE = frozenset(
    {"pred", "predict", "prediction", "predictions", "inference"} | {"unlabeled", "unlabelled"}
)
"""Words for what has no labels."""

_FILLERS = ("dataset", "datasets", "data", "set", "split", "part", "subset", "samples")
_FILLERS += ("images", "image", "imgs", "img", "pictures", "clouds", "folder")

_KNOWN = {word: part for part, words in _WORDS.items() for word in words}


def assigned(names: Iterable[str]) -> dict[str, str]:
    """The part (`train`, `val`, `test`, or `aside` for what has no labels) of every name that is
    one, whatever its case; names of one data set are told together.

    >>> assigned(["Train", "validation_set", "holdout", "cats"])
    {'Train': 'train', 'validation_set': 'val', 'holdout': 'test'}
    >>> assigned(["seg_train", "seg_test", "seg_pred"])
    {'seg_train': 'train', 'seg_test': 'test', 'seg_pred': 'aside'}
    """
    names = list(names)
    words = {name: word for name in names if (word := _word(name))}
    words |= _behind_a_common_start([name for name in names if name not in words])
    found = {name: _KNOWN[word] for name, word in words.items() if word in _KNOWN}
    for name, word in words.items():
        if word in _EITHER:
            first, second = _EITHER[word]
            found[name] = second if first in found.values() else first
        elif word in _ASIDE:
            found[name] = "aside"
    return {name: found[name] for name in names if name in found}


def told(parts: Mapping[str, str | Sequence[str]]) -> dict[str, str]:
    """The part of every name in a mapping such as `data.parts`.

    >>> told({"train": ["day", "night"], "test": "dusk"})
    {'day': 'train', 'night': 'train', 'dusk': 'test'}
    """
    each = {part: [own] if isinstance(own, str) else own for part, own in parts.items()}
    return {name: part for part, own in each.items() for name in own}


def _word(name: str) -> str | None:
    """The one word for a part that a name is, without year, number, `set`, `images`."""
    text = re.sub(r"[\W_]+", "", name.casefold()).strip("0123456789")
    while text not in _KNOWN and text not in _EITHER and text not in _ASIDE:
        filler = next((f for f in _FILLERS if text.endswith(f) or text.startswith(f)), None)
        if filler is None or text == filler:
            return None
        shorter = text.removesuffix(filler) if text.endswith(filler) else text.removeprefix(filler)
        text = shorter.strip("0123456789")
    return text


def _behind_a_common_start(names: list[str]) -> Mapping[str, str]:
    """`flowers_train` beside `flowers_test`: at least two words for parts behind one start."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        start, _, last = name.rpartition("_") if "_" in name else name.rpartition("-")
        word = _word(last)
        if start and word:
            found.setdefault(start.casefold(), {})[name] = word
    several = [own for own in found.values() if {"train", "test"} & _parts(own) and len(own) > 1]
    return {name: word for own in several for name, word in own.items()}


def _parts(words: Mapping[str, str]) -> set[str]:
    return {_KNOWN[word] for word in words.values() if word in _KNOWN}
