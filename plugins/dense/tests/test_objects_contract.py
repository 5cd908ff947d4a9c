"""The contract of the tasks that find objects, as every author of a task checks it."""

from onlay.testing import task_checks


@task_checks("instances")
def test_instances(check):
    check()


@task_checks("detection")
def test_detection(check):
    check()
