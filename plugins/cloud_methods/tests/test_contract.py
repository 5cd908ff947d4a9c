"""The contract of a method, as every author of one checks it."""

from onlay.testing import method_checks


@method_checks("idpt")
def test_idpt(check):
    check()


@method_checks("pointgst")
def test_pointgst(check):
    check()


@method_checks("stag")
def test_stag(check):
    check()


@method_checks("ppt")
def test_ppt(check):
    check()


@method_checks("point_peft")
def test_point_peft(check):
    check()
