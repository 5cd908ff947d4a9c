"""Choosing checks by words, as pytest's `-k` does."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from onlay.errors import ConfigError
from onlay.testing.checking import Check

_TOKENS = re.compile(r"[()]|[^\s()]+")
Holds = Callable[[str], bool]


def choice(words: str) -> Holds:
    """Whether a check's name holds these words: parts of names, in any case, with `and`, `or`,
    `not` and brackets; words side by side must all be there.

    >>> holds = choice("folds and not twice")
    >>> holds("check_folds_exactly"), holds("check_folding_twice_changes_nothing")
    (True, False)

    Raises:
        ConfigError: they make no expression; says what was read.
    """
    reading = _Reading(_TOKENS.findall(words), words)
    found = reading.either()
    if reading.left:
        raise reading.refusal(f"`{reading.left[0]}` is out of place")
    return lambda name: found(name.lower())


def chosen(checks: Sequence[Check], words: str) -> list[Check]:
    """Those whose names hold the words; all of them without any."""
    if not words.strip():
        return list(checks)
    holds = choice(words)
    return [check for check in checks if holds(check.name)]


def refuse_none(checks: Sequence[Check], words: str) -> None:
    """Raise a `ConfigError` that names checks which are near."""
    names = [check.name.removeprefix("check_") for check in checks]
    near = get_close_matches(words.replace(" ", "_"), names, n=3, cutoff=0.4)
    hint = f"; near are {', '.join(f'`{name}`' for name in near)}" if near else ""
    raise ConfigError(f"no check has `{words}` in its name{hint}")


class _Reading:
    def __init__(self, tokens: list[str], words: str) -> None:
        self.left, self.words = tokens, words

    def either(self) -> Holds:
        found = [self.both()]
        while self._next("or"):
            found.append(self.both())
        return lambda name: any(holds(name) for holds in found)

    def both(self) -> Holds:
        found = [self.one()]
        while self._next("and") or (self.left and self.left[0].lower() not in ("or", ")")):
            found.append(self.one())
        return lambda name: all(holds(name) for holds in found)

    def one(self) -> Holds:
        if self._next("not"):
            held = self.one()
            return lambda name: not held(name)
        if self._next("("):
            inner = self.either()
            if not self._next(")"):
                raise self.refusal("a bracket stays open")
            return inner
        if not self.left or self.left[0].lower() in ("and", "or", ")"):
            raise self.refusal("a word is missing")
        word = self.left.pop(0).lower()
        return lambda name: word in name

    def _next(self, token: str) -> bool:
        found = bool(self.left) and self.left[0].lower() == token
        if found:
            self.left.pop(0)
        return found

    def refusal(self, what: str) -> ConfigError:
        return ConfigError(
            f"`{self.words}` chooses no checks: {what}; write parts of their names with `and`,"
            " `or`, `not` and brackets"
        )
