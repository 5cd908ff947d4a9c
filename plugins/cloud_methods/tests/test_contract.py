"""The contract of the methods for clouds: one with everything, of the others what is theirs."""

import pytest

from onlay.testing import method_checks, run_checks

LONG = "compiles or process or exports or imports_no_torch or nothing_is_kept"
"""What takes longest, and is the business of the verbs, which `pointgst` uses as the others do."""


@method_checks("pointgst")
def test_pointgst(check):
    check()


@pytest.mark.parametrize("method", ["idpt", "stag", "ppt", "point_peft"])
def test_contract(method, host):
    outcomes = [*run_checks("method", method, host=host, words=f"not ({LONG})")]
    assert len(outcomes) > 20
    assert not [(o.check.name, o.reason) for o in outcomes if not o.good]
