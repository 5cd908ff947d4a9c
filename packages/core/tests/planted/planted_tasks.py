"""Tasks that each break one sentence of the contract, and `DEFECTS`, which check names it.

All are one linear layer on the mean of the patches, with one thing wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from named_configs import named_config
from torch import Tensor, nn
from torch.nn import functional as F

from onlay import hookimpl
from onlay.anatomy import Anatomy
from onlay.data import Splits
from onlay.descriptors import Exporter, Task
from onlay.features import Features
from onlay.reports import Measure
from onlay.settings import Config
from onlay.task import Constant, Prediction, Raster


class PlainConfig(Config):
    """A linear head."""

    name: str
    """Its name."""


class ForgottenConfig(PlainConfig):
    """A setting that nothing reads."""

    scale: float = 1.0
    """What nothing is multiplied with."""


class Healthy(nn.Module):
    main_metric = "accuracy"
    measures: ClassVar[Mapping[str, Any]] = {}
    answer = Prediction

    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.fc = nn.Linear(width, len(labels))

    def prepare(self, splits: Splits) -> None:
        pass

    def forward(self, features: Features) -> Tensor:
        return self.fc(features.patches.mean(1))

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets)

    def metrics(self) -> nn.Module:
        return Share()

    def predict(self, output: Tensor) -> list[Prediction]:
        return [self._prediction(row) for row in output.detach().softmax(-1)]

    def _prediction(self, row: Tensor) -> Prediction:
        ranked = {self.labels[i]: row[i].item() for i in row.argsort(descending=True).tolist()}
        label, probability = next(iter(ranked.items()))
        return self.answer(label, probability, ranked)


class Share(nn.Module):
    """The share of right answers, and of wrong ones, over all updates."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        self.right, self.all = 0, 0

    def update(self, output: Tensor, targets: Tensor) -> None:
        self.right += int((output.argmax(-1) == targets).sum())
        self.all += len(targets)

    def compute(self) -> dict[str, Tensor]:
        share = torch.tensor(self.right / self.all)
        return {"accuracy": share, "error": 1 - share}


class OfTheLastBatch(Share):
    def update(self, output: Tensor, targets: Tensor) -> None:
        self.reset()
        super().update(output, targets)


class SpareLayer(Healthy):
    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__(width, labels)
        self.spare = nn.Linear(width, width)


class AlienPart(Healthy):
    @property
    def parts(self) -> dict[str, nn.Module]:
        return {"neck": nn.Linear(1, 1)}


class HalfABatch(Healthy):
    """A tree of which one leaf has an entry for every second input."""

    def forward(self, features: Features) -> Any:
        logits = super().forward(features)
        return {"logits": logits, "rest": [*logits[::2]]}

    def loss(self, output: Any, targets: Tensor) -> Tensor:
        return super().loss(output["logits"], targets)


class SortedLabels(Healthy):
    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__(width, sorted(labels, reverse=True))


class NumpyStart(Healthy):
    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__(width, labels)
        start = np.random.default_rng().normal(size=(len(labels), width))
        self.fc.weight.data = torch.from_numpy(start).float()


class HiddenState(Healthy):
    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__(width, labels)
        self.offset = torch.randn(len(labels))

    def forward(self, features: Features) -> Tensor:
        return super().forward(features) + self.offset


class LossOfEach(Healthy):
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets, reduction="none")


class LossOfFeatures(Healthy):
    """What training takes has no mean, and the loss of an output is as it should be."""

    def forward_loss(self, features: Features, targets: Tensor) -> Tensor:
        return F.cross_entropy(self(features), targets, reduction="none")


class UpsideDown(Healthy):
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Its gradient leads away from the targets."""
        loss = F.cross_entropy(output, targets)
        return 2 * loss.detach() - loss


class Halved(Healthy):
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """Steep, in half precision, where the output is not in single precision."""
        scale = 1 if output.dtype == torch.float32 else 1e6
        return F.cross_entropy(output, targets) * torch.tensor(scale, dtype=torch.float16)


class AlwaysDropping(Healthy):
    def forward(self, features: Features) -> Tensor:
        return self.fc(F.dropout(features.patches.mean(1), 0.5))


class BatchNormal(Healthy):
    def forward(self, features: Features) -> Tensor:
        x = features.patches.mean(1)
        return self.fc(x - x.mean(0))


class AnotherView(Healthy):
    def views(self, inputs: Tensor) -> list[Tensor]:
        return [inputs.flip(-1)]

    def joined(self, outputs: Sequence[Tensor]) -> Tensor:
        return outputs[0]


class HalfOfEachPiece(Healthy):
    def put_together(self, outputs: Sequence[Tensor], positions: Sequence[Any]) -> Tensor:
        return 0.5 * outputs[0][None]


class OneAnswer(Healthy):
    def predict(self, output: Tensor) -> list[Prediction]:
        return super().predict(output.mean(0, keepdim=True))


class Unranked(Healthy):
    def _prediction(self, row: Tensor) -> Prediction:
        own = super()._prediction(row)
        return replace(own, probabilities=dict(reversed(own.probabilities.items())))


class NamelessMetric(Healthy):
    main_metric = "top1"


class ErrorAsMain(Healthy):
    main_metric = "error"


class ErrorToBeLow(ErrorAsMain):
    measures = MappingProxyType({"error": Measure("%", better="lower")})


class MeasureOfNothing(Healthy):
    measures = MappingProxyType({"mae": Measure("cm", better="lower")})


class OtherLayer(Healthy):
    """Its layer has another name than the planted format knows, which does not say so."""

    def __init__(self, width: int, labels: Sequence[str]) -> None:
        super().__init__(width, labels)
        self.layer = self.fc
        del self.fc

    def forward(self, features: Features) -> Tensor:
        return self.layer(features.patches.mean(1))


class LooksAtTargets(Healthy):
    def constant(self, targets: Iterable[Any]) -> Constant:
        seen = F.one_hot(torch.stack([*targets]), len(self.labels)).float()
        return Constant("what each one is", lambda batch: seen)


class Forgetting(Healthy):
    def metrics(self) -> nn.Module:
        return OfTheLastBatch()


class Homebound(Healthy):
    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        return F.cross_entropy(output, targets, weight=torch.ones(len(self.labels)))


class ByNumpy(Healthy):
    def predict(self, output: Tensor) -> list[Prediction]:
        return [self._prediction(torch.from_numpy(row)) for row in output.softmax(-1).numpy()]


class OnTwoLines(Prediction):
    def line(self) -> str:
        return f"{self.label}\n{self.probability}"


class NumbersInCells(Prediction):
    def cells(self, top: int | None = None) -> dict[str, Any]:
        return {"class": self.label, "probability": self.probability}


class NotANumber(Prediction):
    def record(self, top: int | None = None) -> dict[str, Any]:
        return {"class": self.label, "distance": float("nan")}


class OfAnotherPath(Prediction):
    def record(self, top: int | None = None) -> dict[str, Any]:
        return {"path": f"the class {self.label}"}


class WrittenElsewhere(Prediction):
    def write(self, folder: Path, stem: str) -> list[Path]:
        (folder / "mask.png").write_bytes(b"")
        return [folder / "mask.png"]


class WithoutLabel(Prediction):
    def drawn(self) -> list[Any]:
        return [Raster("mask", torch.tensor([[0, 3]]), ("sky", "road"))]


class OneTruth(Healthy):
    def truths(self, targets: Tensor) -> list[Prediction]:
        return self.predict(F.one_hot(targets, len(self.labels)).float())[:1]


@dataclass(frozen=True)
class Defect:
    """What is wrong, the check that says so, and a part of what it says."""

    head: type[Healthy]
    check: str = ""
    clue: str = ""
    config: type[PlainConfig] = PlainConfig


DEFECTS: Mapping[str, Defect] = {
    "spare_layer": Defect(SpareLayer, "every_parameter_gets_a_gradient", "`spare.weight`"),
    "alien_part": Defect(AlienPart, "parts_are_its_own", "`neck` is no module"),
    "half_a_batch": Defect(HalfABatch, "output_and_loss_are_finite", "has 2 entries"),
    "sorted_labels": Defect(SortedLabels, "keeps_its_labels", "('c', 'b', 'a')"),
    "numpy_start": Defect(NumpyStart, "is_the_same_under_a_seed", "`fc.weight` differ"),
    "hidden_state": Defect(HiddenState, "state_round_trips", "after loading"),
    "loss_of_each": Defect(LossOfEach, "output_and_loss_are_finite", "the shape (4,)"),
    "loss_of_features": Defect(LossOfFeatures, "output_and_loss_are_finite", "the shape (4,)"),
    "upside_down": Defect(UpsideDown, "steps_lower_the_loss", "the loss goes from"),
    "halved": Defect(Halved, "is_finite_in_bfloat16", "the loss is inf"),
    "always_dropping": Defect(AlwaysDropping, "evaluation_draws_no_random_number", "differ"),
    "batch_normal": Defect(BatchNormal, "inputs_of_a_batch_do_not_touch", "of input 0 moves"),
    "another_view": Defect(AnotherView, "views_become_one_output", "do not begin with the inputs"),
    "half_of_each_piece": Defect(HalfOfEachPiece, "a_single_piece_is_all_of_it", "is moved by"),
    "one_answer": Defect(OneAnswer, "predicts_an_answer_for_each_input", "get 1 answers"),
    "unranked": Defect(Unranked, "predicts_an_answer_for_each_input", "not sorted"),
    "nameless_metric": Defect(NamelessMetric, "metrics_hold_the_main_one", "`top1` is not among"),
    "error_as_main": Defect(
        ErrorAsMain,
        "main_metric_tells_good_from_bad",
        "good outputs reach 0, bad ones 1, and higher is better",
    ),
    "error_to_be_low": Defect(ErrorToBeLow),
    "measure_of_nothing": Defect(MeasureOfNothing, "measures_are_of_metrics", "`mae` is no metric"),
    **{
        name: Defect(type(name, (Healthy,), {"answer": answer}), check, clue)
        for name, answer, check, clue in (
            ("on_two_lines", OnTwoLines, "answers_are_told_in_a_line", "`line` is"),
            ("numbers_in_cells", NumbersInCells, "answers_fill_a_table", "`probability` a `float`"),
            ("not_a_number", NotANumber, "answers_are_json", "not JSON compliant"),
            ("of_another_path", OfAnotherPath, "answers_go_through_predict", "in JSON the files"),
            ("written_elsewhere", WrittenElsewhere, "answers_are_written", "begins with"),
            ("without_label", WithoutLabel, "answers_can_be_drawn", "indices 0 to 3 of 2 labels"),
        )
    },
    "one_truth": Defect(OneTruth, "truths_are_answers", "4 targets get 1 truths"),
    "other_layer": Defect(OtherLayer, "exporters_write_it_or_say_why", "has no attribute 'fc'"),
    "forgotten": Defect(
        Healthy, "every_setting_has_an_effect", "no other value of `scale`", ForgottenConfig
    ),
    "looks_at_targets": Defect(
        LooksAtTargets, "constant_is_an_answer_to_every_input", "differ from input to input"
    ),
    "forgetting": Defect(Forgetting, "metrics_add_up", "in halves"),
    "homebound": Defect(
        Homebound, "stays_on_the_device_of_its_inputs", "is given a tensor of the CPU"
    ),
    "by_numpy": Defect(ByNumpy, "stays_on_the_device_of_its_inputs", "numpy"),
    "healthy": Defect(Healthy),
}


def build(config: Any, anatomy: Anatomy, labels: Sequence[str]) -> nn.Module:
    """The head, with the defect of that name."""
    return DEFECTS[config.name].head(anatomy.sites["norm.out"].width, labels)


def write(model: Any, path: Path) -> None:
    """A format of the weights alone."""
    path.write_text(str(model.head.fc.weight.tolist()))


@hookimpl
def register_exporters() -> Iterable[Exporter]:
    yield Exporter(name="plain", modality="image", export="planted_tasks:write", summary="text")


@hookimpl
def register_tasks() -> Iterable[Task]:
    for name, defect in DEFECTS.items():
        yield Task(
            name=name,
            config=named_config(name, defect.config),
            build="planted_tasks:build",
            summary=defect.check or "nothing is wrong with it",
        )
