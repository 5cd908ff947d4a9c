"""A tiny backbone, small adapters of the tests' own, for all four verbs, and plugins that are
installed for one test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from onlay.anatomy import Affine, BuiltBackbone, Placement
from onlay.anatomy.attachments import Attachments
from onlay.anatomy.liveness import check_frozen, prove_alive
from onlay.features import Features
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone


class ScaleShift(nn.Module):
    """x * scale + shift, away from the identity."""

    def __init__(self, width: int, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.scale = nn.Parameter(1 + 0.3 * torch.randn(width, generator=g))
        self.shift = nn.Parameter(0.3 * torch.randn(width, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale + self.shift

    def affine(self) -> Affine:
        return Affine(self.scale, self.shift)


class Matrix(nn.Module):
    """x + x A^T + b."""

    def __init__(self, width: int, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.matrix = nn.Parameter(0.1 * torch.randn(width, width, generator=g))
        self.bias = nn.Parameter(0.1 * torch.randn(width, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        return x + x @ self.matrix.T + self.bias

    def affine(self) -> Affine:
        eye = torch.eye(len(self.matrix), dtype=self.matrix.dtype)
        return Affine(eye + self.matrix, self.bias)


class LowRank(nn.Module):
    """x A^T B^T, a LoRA with both factors away from zero."""

    def __init__(self, width: int, out: int, rank: int = 2, seed: int = 0) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.down = nn.Parameter(0.3 * torch.randn(rank, width, generator=g))
        self.up = nn.Parameter(0.3 * torch.randn(out, rank, generator=g))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.down.T @ self.up.T

    def affine(self) -> Affine:
        return Affine(self.up @ self.down)


class Gated(nn.Module):
    """A branch that is not affine."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(width, 2), nn.Linear(2, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(torch.relu(self.down(x)))


class Mean(nn.Module):
    """One token from all: gamma * mean + beta."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.gamma * x.mean(1, keepdim=True) + self.beta


@pytest.fixture
def pieces() -> dict[str, type[nn.Module]]:
    return {c.__name__: c for c in (ScaleShift, Matrix, LowRank, Gated, Mean)}


@pytest.fixture
def built() -> BuiltBackbone:
    return tiny_backbone()


@pytest.fixture
def images() -> Tensor:
    return torch.randn(2, 3, 8, 12, generator=torch.Generator().manual_seed(1))


class ClsHead(nn.Module):
    """A linear head on the class token, with the rest of the task contract that a model needs."""

    labels = ("a", "b", "c")
    main_metric = "top1"

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.fc = nn.Linear(width, 3)

    def forward(self, features: Features) -> Tensor:
        return self.fc(features.cls)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.cross_entropy(output, targets)


@pytest.fixture
def adapt_with() -> Callable[..., AdaptedModel]:
    """`adapt_with(built, attach, name=..., verify=...)`: a model without any plugin host."""

    def make(
        built: BuiltBackbone,
        place_all: Callable[[Placement], object],
        name: str = "default",
        verify: bool = True,
    ) -> AdaptedModel:
        attachments = Attachments.of(built.module)
        attachments.refuse_taken(name)
        attachments.activate(None)
        place = Placement(built.anatomy)
        place_all(place)
        attachments.add(name, place.adapter)
        torch.manual_seed(0)
        config: Any = SimpleNamespace(name="test")
        model = AdaptedModel(built, place.adapter, ClsHead(), method=config, task=config, name=name)
        check_frozen(model.backbone, model.adapter)
        if verify:
            prove_alive(model.adapter)
        return model

    return make


@pytest.fixture(scope="session")
def generate() -> ModuleType:
    """The script that makes the documentation's tables while the site is built."""
    file = Path(__file__).parents[3] / "docs" / "generate.py"
    sys.path.append(str(file.parent))  # what lies beside it, as mkdocs lets it
    spec = importlib.util.spec_from_file_location("docs_generate", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Install distributions as an installer would leave them, for the length of one test.

    `metadata` and `entry_points` are bytes instead of the usual ones; `None` writes no file.
    """
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def install(
        name: str,
        code: str,
        requires: str = "onlay>=0.2,<0.3",
        distribution: str | None = None,
        **given: bytes | None,
    ) -> None:
        distribution = distribution or f"dist-{name}"
        module = f"{distribution}_module".replace("-", "_")
        (tmp_path / f"{module}.py").write_text(dedent(code), encoding="utf-8")
        info = tmp_path / f"{distribution.replace('-', '_')}-1.5.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n"
        usual = {
            "metadata": f"{head}Requires-Dist: {requires}\n".encode(),
            "entry_points": f"[onlay]\n{name} = {module}\n".encode(),
        }
        for file, content in (usual | given).items():
            if content is not None:
                called = {"metadata": "METADATA", "entry_points": "entry_points.txt"}[file]
                (info / called).write_bytes(content)

    yield install
    for module in set(sys.modules) - before:
        if "_module" in module or module == "order":
            del sys.modules[module]
