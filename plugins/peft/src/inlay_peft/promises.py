"""What a tuner promises, without importing torch; the tests ask peft itself whether it is so."""

from __future__ import annotations

from inlay_peft.config import PeftMethodConfig

STARTS_ELSEWHERE = frozenset({"c3a", "fourierft", "unilora", "vblora"})
"""Tuners that by default start away from the frozen network."""
UNMERGEABLE = {"lily": (), "lora": ("alora_invocation_tokens", "arrow_config")}
"""Tuners that peft cannot merge, at all or with one of these options."""


def traits(config: PeftMethodConfig, provides: frozenset[str]) -> frozenset[str]:
    """`identity` unless an option asks for another start, `foldable` if peft can merge it."""
    found = set()
    restarted = any(name.startswith("init") for name in config.options)
    if config.tuner not in STARTS_ELSEWHERE and not restarted:
        found.add("identity")
    if _mergeable(config):
        found.add("foldable")
    return frozenset(found)


def _mergeable(config: PeftMethodConfig) -> bool:
    if config.tuner not in UNMERGEABLE:
        return True
    obstacles = UNMERGEABLE[config.tuner]
    return bool(obstacles) and not any(config.options.get(name) for name in obstacles)
