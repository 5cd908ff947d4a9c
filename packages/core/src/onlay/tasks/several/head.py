"""Heads of other tasks on one pass of the backbone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from onlay.errors import ConfigError, DataError
from onlay.host.heads import head_of
from onlay.reports import Measure, measures_of
from onlay.task import Constant
from onlay.tasks.several.answer import SeveralAnswer
from onlay.tasks.several.joining import Collate, JoinedMetrics, OneOfEach, splits_of
from onlay.tasks.several.named import labels_of, targets_in
from onlay.tasks.several.reporting import condensed, reporting
from onlay.tasks.several.reporting import joined as joined_reports

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.data import Splits
    from onlay.features import Features
    from onlay.host import PluginHost
    from onlay.reports import Report
    from onlay.tasks.several.config import SeveralConfig


def build(
    config: SeveralConfig, anatomy: Anatomy, labels: Sequence[str], host: PluginHost
) -> SeveralHead:
    """A head for each name.

    Raises:
        AnatomyError: the backbone lacks what a head's task needs.
        ConfigError: a name that modules have for themselves.
        DataError: the data do not tell what a head learns from.
    """
    kinds = {name: host.find("task", own.name).targets for name, own in config.heads.items()}
    keys = {name: _key(name, kind, labels) for name, kind in kinds.items()}
    for name in config.heads:
        if hasattr(nn.ModuleDict(), name):
            raise ConfigError(f"`task.heads.{name}`: give the head another name, this one is taken")
    heads = {
        name: head_of(own, anatomy, labels_of(labels, keys[name]), host, "the backbone")
        for name, own in config.heads.items()
    }
    return SeveralHead(config, heads, keys, kinds, labels)


def _key(name: str, kind: str, labels: Sequence[str]) -> str:
    """Under which of the data's targets a head finds what it learns from."""
    have = targets_in(labels)
    found = next((key for key in (name, kind) if key in have), None)
    if found is None:
        told = ", ".join(f"`{key}`" for key in have)
        raise DataError(
            f"`task.heads.{name}` learns from `{kind or name}`, and the data have {told}; labels of"
            f" data with several targets are called `{kind or name}/NAME`"
        )
    return found


class SeveralHead(nn.Module):
    """Outputs and answers by the heads' names, targets by the data's."""

    def __init__(
        self,
        config: SeveralConfig,
        heads: Mapping[str, Any],
        keys: Mapping[str, str],
        kinds: Mapping[str, str],
        labels: Sequence[str],
    ) -> None:
        super().__init__()
        self.labels, self.keys, self.kinds = tuple(labels), dict(keys), dict(kinds)
        self.heads = nn.ModuleDict(heads)
        settled = {n: getattr(heads[n], "config", own) for n, own in config.heads.items()}
        self.config = config.model_copy(update={"heads": settled})
        self.levels = tuple(sorted({level for own in heads.values() for level in _levels(own)}))
        self.further: dict[str, int] = {}
        first = next(iter(heads))
        self.main_metric = config.main or f"{first}/{heads[first].main_metric}"

    @property
    def each(self) -> list[tuple[str, Any]]:
        """The heads by name."""
        return list(self.heads.items())

    @property
    def parts(self) -> dict[str, nn.Module]:
        """What each head tells apart, and each head: `depth/decoder`, `depth`."""
        found: dict[str, nn.Module] = {}
        for name, own in self.each:
            found |= {f"{name}/{part}": m for part, m in getattr(own, "parts", {}).items()}
            found[name] = own
        return found

    @property
    def target_kinds(self) -> dict[str, Any]:
        """Of each target."""
        return {self.keys[name]: getattr(own, "target_kinds", None) for name, own in self.each}

    @property
    def output_kinds(self) -> dict[str, Any]:
        """Of each head's output."""
        return {name: getattr(own, "output_kinds", None) for name, own in self.each}

    def prepare(self, splits: Splits) -> None:
        """Let each head see the data with its own target."""
        for name, own in self.each:
            key = self.keys[name]
            own.prepare(splits_of(splits, key, self.kinds[name], labels_of(self.labels, key)))

    def forward(self, features: Features) -> dict[str, Any]:
        """Each head's output under its name."""
        return {name: own(self._for(own, features)) for name, own in self.each}

    def _for(self, own: Any, features: Features) -> Features:
        """With the levels that a head asks for, in its order."""
        places = [self.levels.index(level) for level in _levels(own)]
        return replace(features, levels=[features.levels[place] for place in places])

    def views(self, inputs: Any) -> list[Any]:
        """Those of each head behind the inputs."""
        further = {n: own.views(inputs)[1:] for n, own in self.each if hasattr(own, "views")}
        self.further = {name: len(views) for name, views in further.items()}
        return [inputs, *(view for views in further.values() for view in views)]

    def joined(self, outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """Each head joins the inputs and the views that it asked for."""
        first, *rest = outputs
        found, others = dict(first), iter(rest)
        for name, count in self.further.items():
            views = [first[name], *(next(others)[name] for _ in range(count))]
            own: Any = self.heads[name]
            found[name] = own.joined(views)
        return found

    @property
    def loss(self) -> Callable[[Any, Any], Tensor]:
        """The sum of the heads' losses of their outputs, each times its weight; not there where a
        head has no loss of an output."""
        if not all(hasattr(own, "loss") for _, own in self.each):
            raise AttributeError("a head has no `loss` of an output alone")
        return partial(self._summed, _loss_of_output)

    @property
    def forward_loss(self) -> Callable[[Features, Any], Tensor]:
        """The same of features, where a head needs them; else not there."""
        if not any(hasattr(own, "forward_loss") for _, own in self.each):
            raise AttributeError("no head has a `forward_loss`")
        return self._forward_loss

    def _forward_loss(self, features: Features, targets: Any) -> Tensor:
        own = {name: self._for(head, features) for name, head in self.each}
        return self._summed(_loss_of_features, own, targets)

    def _summed(self, loss: Callable[..., Tensor], given: Any, targets: Any) -> Tensor:
        losses = [
            self.config.weights.get(name, 1.0) * loss(own, given[name], targets[self.keys[name]])
            for name, own in self.each
        ]
        return sum(losses[1:], losses[0])

    @property
    def collate(self) -> Callable[..., Any]:
        """Each target as its head wants it."""
        return Collate({self.keys[n]: h.collate for n, h in self.each if hasattr(h, "collate")})

    @property
    def condense(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        """What the report of each head that has one needs of a batch, by the heads' names."""
        return self._condensed

    def _condensed(self, output: Any, targets: Any) -> tuple[Any, Any]:
        pairs = {
            name: condensed(own, output[name], targets[self.keys[name]])
            for name, own in reporting(dict(self.each)).items()
        }
        return {n: found for n, (found, _) in pairs.items()}, {n: x for n, (_, x) in pairs.items()}

    @property
    def report(self) -> Callable[[Any, Any], Report]:
        """The reports of the heads as one; not there where none has one."""
        if not reporting(dict(self.each)):
            raise AttributeError("no head has a `report`")
        return self._reported

    def _reported(self, outputs: Any, targets: Any) -> Report:
        heads = reporting(dict(self.each))
        return joined_reports(
            {name: own.report(outputs[name], targets[name]) for name, own in heads.items()}
        )

    def metrics(self) -> nn.Module:
        """Those of each head, `parts/miou`."""
        return JoinedMetrics({name: own.metrics() for name, own in self.each}, self.keys)

    @property
    def measures(self) -> dict[str, Measure]:
        """Those of each head."""
        each = ((name, measures_of(own)) for name, own in self.each)
        return {f"{n}/{k}": m for n, own in each for k, m in own.items() if k != "loss"}

    @property
    def constant(self) -> Callable[[Iterable[Any]], Constant]:
        """What each head says, called as that of the head by which a run is judged; not there where
        a head has none."""
        if not all(hasattr(own, "constant") for _, own in self.each):
            raise AttributeError("a head has no `constant`")
        return self._constant

    def _constant(self, targets: Iterable[Any]) -> Constant:
        own: dict[str, Constant] = {
            name: head.constant(OneOfEach(targets, self.keys[name])) for name, head in self.each
        }
        judged = own[self.main_metric.partition("/")[0]].what
        return Constant(
            judged, lambda batch: {n: c.outputs(batch[self.keys[n]]) for n, c in own.items()}
        )

    def predict(self, output: Mapping[str, Any]) -> list[SeveralAnswer]:
        """The answers of all heads."""
        return _joined({name: own.predict(output[name]) for name, own in self.each})

    def truths(self, targets: Mapping[str, Any]) -> list[SeveralAnswer]:
        """Those of the heads that have some."""
        given = {name: targets[self.keys[name]] for name, _ in self.each}
        each = ((name, own) for name, own in self.each if hasattr(own, "truths"))
        return _joined({name: own.truths(given[name]) for name, own in each})


def _joined(answers: Mapping[str, Sequence[Any]]) -> list[SeveralAnswer]:
    rows = zip(*answers.values(), strict=True)
    return [SeveralAnswer(dict(zip(answers, row, strict=True))) for row in rows]


def _levels(head: Any) -> Sequence[int]:
    return getattr(head, "levels", ())


def _loss_of_output(head: Any, output: Any, targets: Any) -> Tensor:
    return head.loss(output, targets)


def _loss_of_features(head: Any, features: Features, targets: Any) -> Tensor:
    whole = getattr(head, "forward_loss", None)
    return whole(features, targets) if whole else head.loss(head(features), targets)
