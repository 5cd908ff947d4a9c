"""What methods promise that depends on their settings; imports no torch."""

from __future__ import annotations

from onlay_baselines.config.bottlenecks import AdapterConfig, PastaConfig
from onlay_baselines.config.tokens import UnipeltConfig
from onlay_baselines.config.weights import SsfConfig

IDENTITY = frozenset({"identity"})
FOLDABLE = frozenset({"foldable"})
NOTHING: frozenset[str] = frozenset()


def of_adapter(config: AdapterConfig, provides: frozenset[str]) -> frozenset[str]:
    return IDENTITY if starts_at_zero(config) else NOTHING


def starts_at_zero(config: AdapterConfig) -> bool:
    """Whether what it adds is 0 before the first step."""
    return config.init == "zero_up" or (config.init is None and config.kind == "pfeiffer")


def of_pasta(config: PastaConfig, provides: frozenset[str]) -> frozenset[str]:
    return NOTHING if config.init_std else IDENTITY


def of_ssf(config: SsfConfig, provides: frozenset[str]) -> frozenset[str]:
    return FOLDABLE | (NOTHING if config.init_std else IDENTITY)


def of_unipelt(config: UnipeltConfig, provides: frozenset[str]) -> frozenset[str]:
    return NOTHING if "p" in config.parts else IDENTITY
