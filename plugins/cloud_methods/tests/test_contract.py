"""The contract of a method, as every author of one checks it."""

from onlay.testing import method_checks, run_checks

LONG = "compiles or process or exports or imports_no_torch or nothing_is_kept"
"""What takes longest, and for `ppt` is the verbs' business alone."""


@method_checks("idpt")
def test_idpt(check):
    check()


@method_checks("pointgst")
def test_pointgst(check):
    check()


@method_checks("stag")
def test_stag(check):
    check()


def test_ppt():
    outcomes = [*run_checks("method", "ppt", words=f"not ({LONG})")]
    assert len(outcomes) > 20
    assert not [(o.check.name, o.reason) for o in outcomes if not o.good]


@method_checks("point_peft")
def test_point_peft(check):
    check()
