"""Every installed method on every installed family of backbones, for every installed task.

Either the three declare that they do not fit, in the sentence that a user would see, or they learn,
save, are the same in another process, merge or say why not, and come off without a trace.
Backbones are tiny: what is tested is that the pieces meet. The documentation shows the outcomes.

Of the methods of `ZOO` every pair runs when that table is written, else those of `KINDS`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import onlay
from onlay import PluginHost
from onlay.anatomy import BuiltBackbone
from onlay.batches import row, tensors_of
from onlay.data import Splits
from onlay.descriptors import Method, Task, resolve
from onlay.errors import AnatomyError, CannotFold
from onlay.host.fit import check_fit
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import as_built

ELSEWHERE = Path(__file__).with_name("predict_elsewhere.py")
TABLE = Path(__file__).parent.parent / "docs" / "reference" / "matrix.json"
made = run_path(str(ELSEWHERE))["made"]
HOST = PluginHost.discover()
WHOLE = os.environ.get("ONLAY_EXPECT") == "all"
TIMM = {
    "vit": ("vit_tiny_patch16_224", {"img_size": 32, "patch_size": 8}),
    "registers": ("vit_medium_patch16_reg4_gap_256", {"img_size": 28, "patch_size": 7}),
    "beit": ("beit_base_patch16_224", {"img_size": 32, "patch_size": 8}),
    "eva02": ("eva02_tiny_patch14_224", {"img_size": 28, "patch_size": 7}),
    "dinov3": ("vit_small_plus_patch16_dinov3", {"img_size": 32, "patch_size": 8}),
    "swin": ("swin_tiny_patch4_window7_224", {"img_size": 32, "window_size": 4}),
    "swinv2": ("swinv2_tiny_window8_256", {"img_size": 32, "window_size": 4}),
}
CLOUDS = {
    "point_mae": ("PointMae", {}),
    "point_bert": ("PointMae", {"embed": 16}),
    "recon": ("ReCon", {}),
}
GROUPED = {"groups": 12, "group_size": 8, "width": 24, "depth": 2, "heads": 2, "embed": 24}
COLUMN = {"embed_dim": 32, "depth": 2, "num_heads": 2}
PYRAMID = {"embed_dim": 16, "depths": (2, 2), "num_heads": (2, 2)}
SETTINGS = {"segmentation": {"decoder": {"name": "segformer", "width": 8}}}
"""Of a task, where its first example is slow: a small decoder that reads maps of every stage."""
ZOO = {"onlay-baselines", "onlay-cloud-methods", "onlay-dyt"}
"""Distributions of many methods that are each a few lines."""
KINDS = ("classification", "segmentation", "point_segmentation")
"""A task for each kind of output: of the whole, of pixels, of points."""
if os.environ.get("ONLAY_VERSIONS"):  # built wheels: the code is the same, other versions are asked
    KINDS = ("classification",)
UNNAMED = ("cannot be cut into pieces of the width", "is a network beside the backbone")
"""Refusals of methods that hang on numbers, for which descriptors have no words."""
SHOWN: dict[str, dict[str, dict[str, dict[str, Any]]]] = json.loads(TABLE.read_text())
"""What the documentation says: task -> family -> method -> outcome."""


def families() -> dict[str, str | dict[str, Any]]:
    """Small models of every kind that the installed backbones take, and the bundled ones by
    name."""
    found = {name: name for name in HOST.backbones if name.startswith("onlay_")}
    small = TIMM if "timm" in HOST.backbones else {}
    small = small | (CLOUDS if "point_mae" in HOST.backbones else {})
    return found | {name: recipe(*family) for name, family in small.items()}


def recipe(architecture: str, sizes: dict[str, Any]) -> dict[str, Any]:
    """Class and arguments; the other process makes the same model from them."""
    if architecture in ("PointMae", "ReCon"):
        return {"cloud": architecture, **GROUPED, **sizes}
    shape = PYRAMID if "window_size" in sizes else COLUMN
    return {"model_name": architecture, **shape, **sizes}


def bits(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


@pytest.fixture(scope="session")
def told(request, ours):
    """`told(task, family, method, outcome)`: the documentation says the same of a method of ours;
    with `--write-matrix` it does so afterwards."""
    writes, seen = request.config.getoption("--write-matrix"), {}

    def tell(task: str, family: str, method: str, outcome: dict[str, Any]) -> None:
        if writes:
            seen.setdefault(task, {}).setdefault(family, {})[method] = outcome
        elif HOST.owner("method", method).distribution in ours:
            assert SHOWN[task][family][method] == outcome

    yield tell
    if writes:
        assert WHOLE, "only the environment `all` has every pair"
        TABLE.write_text(json.dumps(written(seen), indent=1) + "\n")


def written(seen: Mapping[str, Any]) -> dict[str, dict[str, dict[str, Any]]]:
    """The whole table: what ran now (`-k`), and of all others what was there."""

    def row_of(task: str, family: str, methods: list[str]) -> dict[str, Any]:
        known = {m: outcome(seen, task, family, m) or outcome(SHOWN, task, family, m)
                 for m in methods}  # fmt: skip
        return {method: found for method, found in known.items() if found}

    return {
        task: {family: row_of(task, family, methods) for family, methods in rows.items()}
        for task, rows in every_pair().items()
    }


def outcome(table: Mapping[str, Any], task: str, family: str, method: str) -> dict[str, Any] | None:
    return table.get(task, {}).get(family, {}).get(method)


def shape(table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, list[str]]]:
    """The methods of each family for each task, in order."""
    return {task: {f: list(row) for f, row in rows.items()} for task, rows in table.items()}


def every_pair() -> dict[str, dict[str, list[str]]]:
    return {task: {family: list(HOST.methods) for family in families()} for task in HOST.tasks}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "family" in metafunc.fixturenames:
        every = metafunc.config.getoption("--write-matrix")
        cells = [
            pytest.param(family, method, task, id=f"{family}-{method}-{task}")
            for task, rows in every_pair().items()
            for family, methods in rows.items()
            for method in methods
            if every or tried(method, task)
        ]
        metafunc.parametrize(("family", "method", "task"), cells)


def tried(method: str, task: str) -> bool:
    """Whether CI runs this method for the task."""
    return task in KINDS or HOST.owner("method", method).distribution not in ZOO


@pytest.mark.skipif(not HOST.backbones, reason="core alone brings no backbone")
@pytest.mark.skipif("small_sequence" in HOST.backbones, reason="sequences have tests of their own")
def test_there_are_pairs():
    assert families()
    assert {"full", "linear", "bitfit"} <= set(HOST.methods)


def test_pair(family, method, task, elsewhere, told, tmp_path):
    source = families()[family]
    built = as_built(source if isinstance(source, str) else made(source), HOST)
    torch.manual_seed(1)
    try:
        (model, inputs, targets), refusal = adapted(built, method, HOST.tasks[task]), None
    except AnatomyError as error:
        refusal = str(error)
    if refusal is not None:
        assert declared(refusal, HOST.methods[method], HOST.tasks[task])
        told(task, family, method, {"works": False, "reason": refusal})
        return
    with model.disabled() as bare, torch.no_grad():
        before = bits(bare), bare.eval()(inputs).clone()

    learn(model, (inputs, targets))
    with torch.no_grad():
        expected = model.eval()(inputs)
    folder = model.save_pretrained(tmp_path / "bundle")
    torch.save(inputs, tmp_path / "inputs.pt")
    again = elsewhere(folder, None if isinstance(source, str) else source)
    for found, tensor in zip(again, tensors_of(expected), strict=True):
        torch.testing.assert_close(found.view(tensor.shape).to(tensor), tensor, rtol=0, atol=1e-6)
    told(task, family, method, {"works": True, **merged(model, inputs)})

    bare = model.detach()
    after = bits(bare)
    assert after.keys() == before[0].keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before[0].items())
    with torch.no_grad():
        assert torch.equal(bare.eval()(inputs), before[1])


def adapted(built: BuiltBackbone, method: str, task: Task) -> tuple[AdaptedModel, Tensor, Tensor]:
    """The model, whose head has seen the small batch that comes with it."""
    check_fit(task, built.anatomy.provides, built.anatomy.unfit, built.label)
    labels, inputs, facts = ("a", "b", "c"), built.anatomy.example(4), []
    targets = torch.tensor([0, 1, 2, 0])
    if task.example is not None:
        labels, inputs, targets, *facts = resolve(task.example)(built.anatomy, 2)
    config = {"name": task.name, **SETTINGS.get(task.name, task.examples[0])}
    usual = {"name": method, **HOST.methods[method].examples[0]}  # for widths of 8 to 32
    model = onlay.adapt(built, usual, task=config, labels=labels, host=HOST)
    given: Any = [(one, row(targets, index)) for index, one in enumerate(inputs)]
    parts = {"train": given, "validation": None, "test": None, "preprocessing": {}}
    model.head.prepare(Splits(**parts, labels=labels, facts=facts[0] if facts else {}))
    return model, inputs, targets


def declared(refusal: str, method: Method, task: Task) -> bool:
    """Whether the refusal is one that the descriptors announce."""
    needs = any(f"`{trait}`" in refusal for trait in method.needs | method.sites | task.needs)
    usual = method.config(name=method.name, **method.examples[0])
    told = method.refused(usual, frozenset({"hierarchical"}))
    reasons = [*method.refuses.values(), *UNNAMED, told]
    return needs or any(reason in refusal for reason in reasons if reason)


def learn(model: AdaptedModel, batch: tuple[Tensor, Tensor]) -> None:
    """A few steps lower the loss; more than one where statistics of batches move first."""
    optimizer = torch.optim.AdamW(model.trained_parameters().values(), lr=1e-3, weight_decay=0)
    losses = [loss_of(model, batch)]
    while len(losses) < 3 or losses[-1] >= losses[0]:
        assert len(losses) < 16, losses
        model.train()
        optimizer.zero_grad()
        model.loss(batch).backward()
        optimizer.step()
        losses.append(loss_of(model, batch))


def loss_of(model: AdaptedModel, batch: tuple[Tensor, Tensor]) -> float:
    with torch.no_grad():
        return model.eval().loss(batch).item()


def merged(model: AdaptedModel, inputs: Tensor) -> dict[str, Any]:
    """A plain network that computes the same, or the reason why there is none."""
    expected = seen(model, inputs)
    try:
        plain = model.merge()
    except CannotFold as refusal:
        return {"merges": False, "reason": str(refusal)}
    assert not list(plain.adapter.parameters())
    for found, after, before in zip(
        seen(plain, inputs), seen(model, inputs), expected, strict=True
    ):
        near = 1e-5 * max(1.0, before.abs().max().item())
        torch.testing.assert_close(found, before, rtol=1e-4, atol=near)
        torch.testing.assert_close(after, before, rtol=0, atol=0)
    return {"merges": True}


@torch.no_grad()
def seen(model: AdaptedModel, inputs: Tensor) -> list[Tensor]:
    """The output where it is a tensor; else, as a detector drops what is nearly the same, what the
    head reads."""
    output = model(inputs)
    if isinstance(output, Tensor):
        return [output]
    return [*model.features(inputs, levels=model.head.levels).levels]


@pytest.mark.skipif(not WHOLE, reason="others have fewer pairs")
def test_the_documentation_shows_every_pair_and_no_other(request):
    """`hatch run +plugins=all integration:matrix` writes them."""
    if request.config.getoption("--write-matrix"):
        pytest.skip("the table is being written")
    assert shape(SHOWN) == every_pair()
