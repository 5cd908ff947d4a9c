"""Which contracts there are for each kind of thing that a plugin registers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from onlay.errors import ConfigError
from onlay.host import PluginHost
from onlay.testing.backbones import BACKBONE_CHECKS
from onlay.testing.backbones.case import backbone_cases
from onlay.testing.case import method_cases
from onlay.testing.checking import Check, Outcome, known_names, outcomes
from onlay.testing.choosing import chosen
from onlay.testing.datasets import DATASET_CHECKS
from onlay.testing.datasets.case import dataset_cases
from onlay.testing.decoders import DECODER_CHECKS
from onlay.testing.decoders.case import decoder_cases
from onlay.testing.executors import EXECUTOR_CHECKS
from onlay.testing.executors.case import executor_cases
from onlay.testing.methods import METHOD_CHECKS
from onlay.testing.optimizers import OPTIMIZER_CHECKS
from onlay.testing.optimizers.case import optimizer_cases
from onlay.testing.protocols import PROTOCOL_CHECKS
from onlay.testing.protocols.case import protocol_cases
from onlay.testing.tasks import TASK_CHECKS
from onlay.testing.tasks.case import task_cases


@dataclass(frozen=True)
class Suite:
    """The checks of one kind, and how to make their cases."""

    checks: Sequence[Check]
    cases: Callable[[str, PluginHost], Sequence[Any]]


SUITES: Mapping[str, Suite] = {
    "method": Suite(METHOD_CHECKS, method_cases),
    "backbone": Suite(BACKBONE_CHECKS, backbone_cases),
    "task": Suite(TASK_CHECKS, task_cases),
    "dataset": Suite(DATASET_CHECKS, dataset_cases),
    "optimizer": Suite(OPTIMIZER_CHECKS, optimizer_cases),
    "decoder": Suite(DECODER_CHECKS, decoder_cases),
    "protocol": Suite(PROTOCOL_CHECKS, protocol_cases),
    "executor": Suite(EXECUTOR_CHECKS, executor_cases),
}
"""By kind: `method`, `backbone`, `task`, `dataset`, `optimizer`, `decoder`, `protocol`,
`executor`."""


def suite_of(kind: str) -> Suite:
    """The suite, or an error that lists the kinds."""
    if kind not in SUITES:
        raise ConfigError(f"a {kind} has no checks (have: {', '.join(SUITES)})")
    return SUITES[kind]


def run_checks(
    kind: str,
    name: str,
    *,
    host: PluginHost | None = None,
    expected_failures: Mapping[str, str] | None = None,
    words: str = "",
) -> Iterator[Outcome]:
    """Check one registered thing against the contract of its kind; outcomes as they come.

    Args:
        kind: `method`, `backbone`, `task`, `dataset`, `optimizer`, `decoder`, `protocol` or
            `executor`.
        expected_failures: name of a check -> why it fails; one that passes all the same is broken.
        words: only checks whose names hold them, as pytest's `-k` has it: `"folds and not twice"`.

    >>> from onlay.testing import run_checks
    >>> all(outcome.good for outcome in run_checks("method", "bitfit"))  # doctest: +SKIP
    True
    """
    suite, host = suite_of(kind), host or PluginHost.discover()
    known_names(suite.checks, expected_failures or {})
    checks = chosen(suite.checks, words)
    if checks:
        yield from outcomes(checks, suite.cases(name, host), expected_failures or {})
