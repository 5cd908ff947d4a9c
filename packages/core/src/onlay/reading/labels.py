"""Labels that are written in two ways, or that say that there is none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Hashable, Iterable
from decimal import Decimal

from onlay.errors import DataError

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_MISSING = frozenset({"nan", "<na>", "nat", "#n/a"})

_ODD = frozenset({"Cc", "Cs"})
"""Control characters; surrogates, which stand for bytes that are no text."""

LIST_THEM = "or, if they are meant, list all classes in `data.labels`"


def missing(label: str) -> bool:
    """Is this how programs write that there is no label?"""
    return label.casefold() in _MISSING or label in ("", "None", "NULL")


def check_distinct(labels: Iterable[str], listed: Collection[str] | None = None) -> None:
    """Classes are text in one line, and differ by more than case, blanks, the way to write a
    number, or Unicode's way to write a letter, unless they are `listed`.

    Raises:
        DataError: names the one that is no text, or the two.
    """
    labels = set(labels)
    if odd := [label for label in labels if any(unicodedata.category(x) in _ODD for x in label)]:
        raise DataError(
            f"the class {min(odd)!a} has a line break, another control character or a byte"
            " that is no UTF-8 in its name: give it a name of letters"
        )
    seen: dict[Hashable, str] = {}
    for label in sorted(labels - set(listed or ())):
        other = seen.setdefault(_alike(label), label)
        if other != label:
            raise DataError(
                f"the classes `{other}` and `{label}` differ in nothing but {_how(other, label)}:"
                f" call them alike, {LIST_THEM}"
            )


def same(label: str) -> str:
    """One Unicode form of a label, for comparing those of two systems."""
    return unicodedata.normalize("NFC", label)


def _alike(label: str) -> Hashable:
    text = " ".join(unicodedata.normalize("NFKC", label).casefold().split())
    return Decimal(text) if _NUMBER.fullmatch(text) else text


def _how(one: str, two: str) -> str:
    if same(one) == same(two):
        return "the Unicode form of their letters"
    if one.casefold() == two.casefold():
        return "upper and lower case"
    if isinstance(_alike(one), Decimal):
        return "how a number is written"
    return "blanks, case or the form of their letters"
