"""A task whose outputs and targets are trees, with void and float targets, keeps the contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onlay import PluginHost, adapt
from onlay.bundle.reading import read_manifest
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


def test_parts_of_a_head_are_told_apart(tmp_path: Path) -> None:
    model = adapt(tiny_backbone(), "linear", task="trees", labels=["a", "b"], host=HOST)
    report = model.trainable_report()  # 16 x 16 + 16; 2 x 16 + 2 and 16 + 1
    assert (report.head, report.parts) == (272 + 34 + 17, {"neck": 272})
    assert str(report).endswith("method 0, head 51, neck 272, other 0")
    manifest = read_manifest(model.save_pretrained(tmp_path / "bundle"))
    assert manifest.parameters == {"method": 0, "head": 51, "neck": 272, "other": 0}
