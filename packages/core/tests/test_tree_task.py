"""A task whose outputs and targets are trees, with void and float targets, keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onlay import PluginHost, adapt
from onlay.testing import task_checks, tiny_backbone

FILE = Path(__file__).parent / "data" / "tree_task.py"
HOST = PluginHost.discover(files=[FILE])


@task_checks("trees", host=HOST)
def test_a_task_of_trees_keeps_the_contract(check: Callable[[], None]) -> None:
    check()


def test_an_adapted_model_gives_and_merges_trees() -> None:
    model = adapt(tiny_backbone(), "linear", task="trees", labels=["a", "b"], host=HOST)
    output = model(model.anatomy.example(3))
    logits, depths = output["maps"]
    assert (logits.shape, depths.shape, len(output["peaks"])) == ((3, 4, 2), (3, 4), 3)
    assert model.merge().merge_change == 0
