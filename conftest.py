"""For all tests: one thread. Their tensors are tiny, and threads only get in each other's way.
And nothing is said of a plugin that a busy machine lets one wait for: lines are counted.
Curves of trainings are drawn where a test asks for `drawn`: else a third of their time goes there.

And small networks of the two modalities, for the tests of methods; and the option `--once`.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the first import of torch
os.environ.setdefault("ONLAY_PATIENCE", "inf")

if TYPE_CHECKING:
    from torch import Tensor, nn

    import onlay
    from onlay.anatomy import BuiltBackbone

SMALL: dict[str, Any] = {
    "groups": 16, "group_size": 8, "width": 24, "depth": 2, "heads": 2, "embed": 24,
    "hidden": (8, 16, 32),
}  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--once", action="store_true", help="of a test's cases only the first")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--once"):
        first = {item.nodeid.partition("[")[0]: item for item in reversed(items)}.values()
        config.hook.pytest_deselected(items=[item for item in items if item not in first])
        items[:] = [item for item in items if item in first]


def pytest_collection(session: pytest.Session) -> None:
    gc.disable()  # nothing that is imported here is garbage, and looking for it takes seconds


def pytest_collection_finish(session: pytest.Session) -> None:
    """From here on garbage is looked for among what the tests make."""
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)  # of 700 objects that are new few are garbage
    gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    gc.unfreeze()  # libraries in C++ that count their objects complain of any that stays


DRAWING: dict[str, Any] = {}
"""How the curves of a run become a picture."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    finish: Any = sys.modules.get("onlay_train.finish")
    if finish is not None:  # else the first to train in this process draws
        drawing = DRAWING.setdefault("plot_run", finish.plot_run)
        finish.plot_run = drawing if "drawn" in getattr(item, "fixturenames", ()) else undrawn


@pytest.fixture
def drawn() -> None:
    """The curves of this test's runs are pictures; those of others are empty files."""


def undrawn(history: Any, path: Path, metric: str, **told: Any) -> None:
    from onlay.machine.disk import replacing

    with replacing(path):
        pass


@pytest.fixture(scope="session")
def host() -> onlay.PluginHost:
    import onlay

    return onlay.PluginHost.discover()


ASKED = (
    "settings or fits or site or identity or counts or untouched or declares"
    " or gets_a_gradient or auxiliary or recomputes or sources or batch_do_not_touch"
    " or runs_in_bfloat16 or bundle_holds or reloads or detach or folds or folding"
    " or spared or figures or shown or prepared"
)


@pytest.fixture
def keeps_its_contract(host: onlay.PluginHost) -> Callable[[str], None]:
    """`keeps_its_contract("mona")`: of a method of the zoo what a file of its own can break, with
    its usual settings on one backbone, and with each of its others.

    `integration_tests/test_zoo.py` asks everything, on every backbone: that takes ten times as long
    and is alike for methods that use the same verbs.
    """
    from onlay.testing.checking import outcomes
    from onlay.testing.choosing import chosen
    from onlay.testing.suites import suite_of

    def ask(method: str) -> None:
        suite = suite_of("method")
        usual, *cases = sorted(suite.cases(method, host), key=lambda case: not case.first)
        cases = [usual, *(case for case in cases if not case.first)]
        found = [*outcomes(chosen(suite.checks, f"({ASKED}) and not effect"), cases, {})]
        assert len(found) > 20
        assert not [(o.check.name, o.reason) for o in found if not o.good]

    return ask


@pytest.fixture
def clouds() -> Tensor:
    import torch

    return torch.randn(2, 64, 3, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def vit() -> Callable[..., BuiltBackbone]:
    """`vit(depth=3)`: core's small transformer, no tensor at zeros and ones."""
    from onlay.testing import tiny_backbone

    def make(**changes: Any) -> BuiltBackbone:
        built = tiny_backbone(**changes)
        shaken(built.module)
        return built

    return make


@pytest.fixture
def points() -> Callable[..., BuiltBackbone]:
    """`points(kind="ReCon", depth=3)`: a small network of Point-MAE's layout, likewise."""
    pytest.importorskip("onlay_pointcloud", reason="point backbones come with onlay-pointcloud")
    import torch

    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network import point_mae

    def make(kind: str = "PointMae", **changes: Any) -> BuiltBackbone:
        torch.manual_seed(0)
        model = getattr(point_mae, kind)(**(SMALL | changes))
        shaken(model)
        built = adopt(model.eval())
        assert built is not None
        return built

    return make


@pytest.fixture(scope="session")
def randomize() -> Callable[[nn.Module], Any]:
    """Put every parameter of a module, or of a model's adapter, away from where it starts."""
    import torch

    def change(module: Any, size: float = 0.3) -> Any:
        g = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for p in getattr(module, "adapter", module).parameters():
                p.add_(size * torch.randn(p.shape, generator=g, dtype=p.dtype))
        return module

    return change


@pytest.fixture
def timm_model() -> Callable[..., nn.Module]:
    """`timm_model(name, img_size=32)`: a model of timm, no tensor at its start."""
    pytest.importorskip("onlay_image", reason="the backbones are timm's: onlay-image")
    timm = pytest.importorskip("timm", reason="comes with onlay-image")
    import torch

    def make(name: str, **changes: Any) -> nn.Module:
        torch.manual_seed(0)
        model = timm.create_model(name, **changes).eval()
        g = torch.Generator().manual_seed(4)
        with torch.no_grad():
            for p in model.parameters():  # LayerScale and position biases matter, too
                p.add_(0.1 * torch.randn(p.shape, generator=g))
        return model

    return make


@pytest.fixture
def refused_run(tmp_path: Path) -> Callable[[str], Callable[..., str]]:
    """`refused_run("arc")("method.rank=0")`: what `onlay train` says of a run that cannot be,
    before anything is written."""
    pytest.importorskip("onlay_train", reason="`onlay train` comes with onlay-train")
    pytest.importorskip("onlay_image", reason="the backbone is in onlay-image")
    pytest.importorskip("sklearn", reason="the digits are scikit-learn's")
    from onlay.cli.in_process import onlay
    from onlay.testing.said import refusal

    def of(method: str) -> Callable[..., str]:
        def run(*overrides: str, backbone: Any = "onlay_vit_64", data: Any = "digits") -> str:
            out = tmp_path / "out"
            run = {"backbone": backbone, "method": method, "data": data, "out": str(out)}
            (tmp_path / "run.yaml").write_text(json.dumps(run))
            said = refusal(onlay("train", tmp_path / "run.yaml", *overrides, "--dry-run"))
            assert not out.exists()
            return said

        return run

    return of


def shaken(model: nn.Module) -> None:
    import torch

    g = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.ndim < 2 and tensor.is_floating_point():
                shift = 0.2 * torch.rand(tensor.shape, generator=g)
                tensor.add_(shift if "var" in name else shift - 0.1)
