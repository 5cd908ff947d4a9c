"""What a tuner promises, without importing torch; the tests ask peft itself whether it is so."""

from __future__ import annotations

from onlay_peft.config import PeftMethodConfig

STARTS_ELSEWHERE = frozenset({"c3a", "fourierft", "unilora", "vblora"})
"""Tuners that by default start away from the frozen network."""
UNMERGEABLE = frozenset({"lily"})
"""Tuners that peft cannot merge."""


def traits(config: PeftMethodConfig, provides: frozenset[str]) -> frozenset[str]:
    """`identity` unless an option asks for another start, `foldable` if peft can merge it."""
    found = set()
    restarted = any(name.startswith("init") for name in config.options)
    if config.tuner not in STARTS_ELSEWHERE and not restarted:
        found.add("identity")
    if config.tuner not in UNMERGEABLE:
        found.add("foldable")
    return frozenset(found)
