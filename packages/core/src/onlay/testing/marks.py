"""The checks as pytest functions: one line for each registered thing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import Any

from onlay.host import PluginHost
from onlay.testing.checking import Check, known_names
from onlay.testing.suites import suite_of


def method_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Parametrize a test function with every check that asks something of a method.

    Args:
        name: the registered method.
        expected_failures: name of a check -> why it fails. One that passes is a failure, too.
        host: where to look the name up; default: everything that is installed.

    >>> from onlay.testing import method_checks
    >>> @method_checks("linear")
    ... def test_contract(check):
    ...     check()
    """
    return _marked("method", name, expected_failures, host)


def backbone_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for a backbone, on each of its `examples`."""
    return _marked("backbone", name, expected_failures, host)


def task_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for a task, with each of its `examples` on every small backbone that fits."""
    return _marked("task", name, expected_failures, host)


def dataset_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for a data set, on the small one that its `example` writes."""
    return _marked("dataset", name, expected_failures, host)


def optimizer_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for an optimizer, with each of its `examples` on a small problem."""
    return _marked("optimizer", name, expected_failures, host)


def decoder_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for a decoder, with each of its `examples` on maps of every kind that it takes."""
    return _marked("decoder", name, expected_failures, host)


def protocol_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for a protocol, asked about an empty folder."""
    return _marked("protocol", name, expected_failures, host)


def executor_checks(
    name: str,
    *,
    expected_failures: Mapping[str, str] | None = None,
    host: PluginHost | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The same for an executor, which with each of its `examples` is handed a few calls."""
    return _marked("executor", name, expected_failures, host)


def _marked(
    kind: str, name: str, expected: Mapping[str, str] | None, host: PluginHost | None
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    import pytest

    suite = suite_of(kind)
    expected = expected or {}
    known_names(suite.checks, expected)
    cases = suite.cases(name, host or _everything())
    return pytest.mark.parametrize(
        "check",
        [
            pytest.param(
                partial(check.run, cases),
                id=f"{name}-{check.name.removeprefix('check_')}",
                marks=_xfail(check, expected),
            )
            for check in suite.checks
            if check.asked(cases)
        ],
    )


@cache
def _everything() -> PluginHost:
    """What is installed, looked up once for all that is marked."""
    return PluginHost.discover()


def _xfail(check: Check, expected: Mapping[str, str]) -> Sequence[Any]:
    import pytest

    if check.name not in expected:
        return ()
    return (pytest.mark.xfail(strict=True, reason=expected[check.name]),)
