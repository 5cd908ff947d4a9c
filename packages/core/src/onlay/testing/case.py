"""What a method's checks are given: one of its examples on one small backbone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.descriptors import Method
from onlay.errors import AnatomyError, OnlayError
from onlay.host import PluginHost
from onlay.model.adapted import AdaptedModel
from onlay.model.assemble import attach, build_head
from onlay.settings import Config
from onlay.testing.registered import in_words
from onlay.testing.small import small_backbones
from onlay.testing.states import shake

LABELS = ("a", "b", "c")

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, eq=False)
class MethodCase:
    """An example of a method on a backbone of which a fresh copy is made for each use."""

    host: PluginHost
    method: Method
    settings: Mapping[str, Any]
    label: str
    """The backbone, in words."""
    build: Callable[[], BuiltBackbone]

    def __str__(self) -> str:
        return f"{in_words(self.method.name, self.settings)} on {self.label}"

    @property
    def first(self) -> bool:
        """Whether these are the method's usual settings."""
        return self.settings == self.method.examples[0]

    @cached_property
    def config(self) -> Config:
        return parse("method", {"name": self.method.name, **self.settings}, self.host)

    @cached_property
    def traits(self) -> frozenset[str]:
        """What the method promises with these settings."""
        return self.method.promised(self.config, self.bare().anatomy.provides)

    @cached_property
    def pool(self) -> str:
        """Every kind of token that there is, so that the head leaves no parameter idle."""
        built = self.bare()
        tokens = self._attached(built, "mean").adapter.tokens
        cls = ["cls"] if "class_token" in built.anatomy.provides else []
        return "+".join([*cls, "mean", *(["prompts"] if tokens else [])])

    def bare(self) -> BuiltBackbone:
        """The backbone in evaluation mode, its norms and biases away from ones and zeros."""
        built = self.build()
        shake(built.module.state_dict().values(), 0.1)
        built.module.eval()
        return built

    def model(
        self, built: BuiltBackbone | None = None, *, name: str = "default", seed: int = 0
    ) -> AdaptedModel:
        """A freshly attached adapter, in evaluation mode."""
        built, pool = built or self.bare(), self.pool  # which draw random numbers of their own
        torch.default_generator.manual_seed(seed)
        return self._attached(built, pool, name).eval()

    def moved(self, built: BuiltBackbone | None = None, **given: Any) -> AdaptedModel:
        """One whose trained tensors are away from where they start, so that it does something."""
        model = self.model(built, **given)
        shake(model.trained_parameters().values(), 0.05)
        return model

    @cached_property
    def _lent(self) -> tuple[AdaptedModel, dict[str, Tensor]]:
        model = self.moved()
        return model, {name: t.clone() for name, t in model.trained_state().items()}

    def lent(self) -> AdaptedModel:
        """A moved one in evaluation mode, without gradients, which many checks share: who borrows
        it changes nothing but these two, and statistics that move in training."""
        model, state = self._lent
        model.load_trained_state(state)
        model.zero_grad()
        return model.eval()

    def batch(self, model: AdaptedModel, size: int = 4) -> Batch:
        """Random inputs and targets, always the same."""
        inputs = model.anatomy.example(size)
        return inputs, torch.arange(size, device=inputs.device) % len(LABELS)

    def _attached(self, built: BuiltBackbone, pool: str, name: str = "default") -> AdaptedModel:
        task = parse("task", {"name": "classification", "pool": pool}, self.host)
        head = build_head(task, built, LABELS, self.host)
        return attach(
            built,
            self.config,
            self.method,
            head,
            task=task,
            name=name,
            host=self.host,
            verify=False,
        )


def method_cases(name: str, host: PluginHost) -> list[MethodCase]:
    """The usual settings on every small backbone that fits, and each other example on one: there
    it may be refused in a sentence, if another backbone takes it."""
    method = host.find("method", name)
    usual, *others = method.examples
    fitting = small_backbones(method, host)
    cases = [MethodCase(host, method, usual, *backbone) for backbone in fitting]
    cases = [case for case in cases if not _refused(case)]
    if not cases:
        raise OnlayError(
            f"no small backbone is at hand that the method `{name}` runs on: it needs"
            f" {', '.join(f'`{t}`' for t in sorted(method.needs)) or 'nothing'}"
        )
    for turn, settings in enumerate(others, 1):
        start = turn % len(fitting)  # so that all backbones get their share
        turned = [*fitting[start:], *fitting[:start]]
        tried = [MethodCase(host, method, settings, *backbone) for backbone in turned]
        cases.append(next((case for case in tried if _takes(case)), tried[0]))
    return cases


def _refused(case: MethodCase) -> str:
    return case.method.refused(case.config, case.build().anatomy.provides)


def _takes(case: MethodCase) -> bool:
    try:
        case.model()
    except AnatomyError:
        return False
    return True
