"""What a check is, and running checks: plain functions whose docstring is the contract.

A check is `check_*(case)`; it returns nothing and raises `Broken` (or whatever the plugin's own
code raises) where the contract is not kept. None of this needs pytest.
"""

from __future__ import annotations

import time
import unittest
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal
from weakref import WeakKeyDictionary

from onlay.errors import ConfigError, unknown

Verdict = Literal["kept", "broken", "expected", "not asked"]


class Broken(AssertionError):
    """A contract is not kept; the text says what was seen."""


class NotAsked(unittest.SkipTest):
    """Of this machine a contract asks nothing; the text says why. pytest skips the test."""


def require(kept: Any, otherwise: str) -> None:
    """Raise `Broken(otherwise)` unless `kept`; `assert` would vanish under `python -O`."""
    if not kept:
        raise Broken(otherwise)


@dataclass(frozen=True)
class Check:
    """One contract and the cases that it holds for."""

    function: Callable[[Any], None]
    not_for: Callable[[Any], str] = lambda case: ""
    """Why the contract asks nothing of a case, in words; empty where it does."""
    tried: Literal["every", "usual", "one", "together"] = "every"
    """Which cases: every one, the first settings on each backbone, or a single case; or all of them
    in one list, for what need not hold for each."""

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def contract(self) -> str:
        """The docstring of the function: one sentence."""
        return " ".join((self.function.__doc__ or "").split())

    def run(self, cases: Sequence[Any]) -> None:
        """Check every case that it asks something of; a failure names its case."""
        if self.tried == "together":
            asked = self.asked(cases)
            for case in asked:
                with told_of(case):
                    self._raise_of(case)
            self.function(asked)
            return
        for case in self.asked(cases):
            with told_of(case):
                self._raise_of(case)
                self.function(case)

    def asked(self, cases: Sequence[Any]) -> list[Any]:
        """The cases of which the contract asks something."""
        few = self.tried in ("usual", "one")
        tried = [case for case in cases if case.first] if few else cases
        asked = (case for case in tried if not self.reason(case))
        return [*islice(asked, 1)] if self.tried == "one" else [*asked]

    def reason(self, case: Any) -> str:
        """Why the contract asks nothing of a case; looked for once, as that may build networks.
        Where that fails the case is asked, and running the check raises what went wrong."""
        known = _REASONS.setdefault(case, {})
        if self not in known:
            known[self] = self._found(case)
        found = known[self]
        return found if isinstance(found, str) else ""

    def _found(self, case: Any) -> str | Exception | SystemExit:
        try:
            return self.not_for(case)
        except (Exception, SystemExit) as error:
            return error

    def _raise_of(self, case: Any) -> None:
        """Raise what went wrong when it was looked whether a case is asked."""
        found = _REASONS.get(case, {}).get(self, "")
        if isinstance(found, Exception | SystemExit):
            raise found


_REASONS: WeakKeyDictionary[Any, dict[Check, str | Exception | SystemExit]] = WeakKeyDictionary()


@contextmanager
def told_of(case: Any) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit) as error:
        error.add_note(f"with {case}")
        raise


@dataclass(frozen=True)
class Outcome:
    """What became of one check."""

    check: Check
    verdict: Verdict
    reason: str = ""
    """What was seen, why it was expected, or why nothing was asked."""
    seconds: float = 0.0
    error: Exception | SystemExit | None = None

    @property
    def good(self) -> bool:
        return self.verdict != "broken"


def outcomes(
    checks: Sequence[Check], cases: Sequence[Any], expected: Mapping[str, str]
) -> Iterator[Outcome]:
    """Run one check after another, the broken ones too.

    Args:
        expected: check names that fail, each with its reason; one that passes is broken.
    """
    for check in checks:
        if not check.asked(cases):
            yield Outcome(check, "not asked", check.reason(cases[0]))
            continue
        yield _outcome(check, cases, expected.get(check.name, ""))


def _outcome(check: Check, cases: Sequence[Any], expected: str) -> Outcome:
    start = time.perf_counter()
    try:
        check.run(cases)
    except NotAsked as why:
        return Outcome(check, "not asked", str(why), time.perf_counter() - start)
    except (Exception, SystemExit) as error:
        took = time.perf_counter() - start
        if expected:
            return Outcome(check, "expected", expected, took, error)
        return Outcome(check, "broken", in_short(error), took, error)
    took = time.perf_counter() - start
    if expected:
        return Outcome(check, "broken", f"passes, but was expected to fail: {expected}", took)
    return Outcome(check, "kept", "", took)


def in_short(error: Exception | SystemExit) -> str:
    """The failure and the case, on one line."""
    kind = "" if isinstance(error, Broken) else f"{type(error).__name__}: "
    return " ".join([f"{kind}{error}".split("\n")[0], *getattr(error, "__notes__", [])[:1]])


def known_names(checks: Sequence[Check], expected: Mapping[str, str]) -> None:
    """Raise for an expected failure that names no check, or that gives no reason."""
    names = {check.name for check in checks}
    for name, reason in expected.items():
        if name not in names:
            raise unknown("check", name, names)
        if not reason.strip():
            raise ConfigError(f"the expected failure of `{name}` needs a reason in words")
