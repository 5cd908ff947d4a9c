"""The contract of a method, as every author of one checks it."""

from onlay.testing import method_checks


@method_checks("dyt")
def test_contract(check):
    check()
