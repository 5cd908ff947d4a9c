"""A task of one's own: the class of an image, and where in the image it is seen."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from onlay import hookimpl
from onlay.descriptors import Task
from onlay.reports import PERCENT, Measure
from onlay.settings import Config
from onlay.task import Bars, Raster

if TYPE_CHECKING:
    from torch import Tensor


class ClassMapConfig(Config):
    """The class of an image, and where in the image it is seen."""

    name: Literal["class_map"] = "class_map"


@dataclass(frozen=True)
class ClassMap:
    """The answer about one image."""

    label: str
    share: float
    """Its probability."""
    evidence_HW: "Tensor"
    """How much each patch speaks for it, 0 to 1."""

    def line(self) -> str:
        return f"{self.label}, {PERCENT.text(self.share, places=0)}"

    def cells(self, top: int | None = None) -> Mapping[str, str]:
        rows, columns = self.evidence_HW.shape
        place = divmod(int(self.evidence_HW.argmax()), columns)
        seen = f"row {place[0] + 1} of {rows}, column {place[1] + 1} of {columns}"
        return {"class": self.label, "probability": PERCENT.text(self.share), "seen": seen}

    def record(self, top: int | None = None) -> Mapping[str, Any]:
        evidence = self.evidence_HW.tolist()
        return {"class": self.label, "probability": self.share, "evidence": evidence}

    def write(self, folder: Path, stem: str) -> Sequence[Path]:
        """Two files: the class as text, the evidence as a grey picture."""
        from PIL import Image

        (folder / f"{stem}.txt").write_text(self.label + "\n", encoding="utf-8")
        grey = (self.evidence_HW * 255).byte().numpy()
        Image.fromarray(grey).save(folder / f"{stem}-seen.png")
        return [folder / f"{stem}.txt", folder / f"{stem}-seen.png"]

    def drawn(self) -> Sequence[Bars | Raster]:
        return [Raster("where it is seen", self.evidence_HW)]


def build(config: ClassMapConfig, anatomy: Any, labels: Sequence[str]) -> Any:
    """The head; in a function, so that registering imports no torch."""
    from torch import nn
    from torchmetrics import MetricCollection
    from torchmetrics.classification import MulticlassAccuracy

    from onlay.features import map_of

    class Accuracy(MulticlassAccuracy):
        def update(self, output: Any, targets: Any) -> None:
            super().update(output["logits"], targets)

    class Head(nn.Module):
        main_metric = "error"
        measures: ClassVar = {"error": Measure("%", better="lower")}

        def __init__(self) -> None:
            super().__init__()
            self.labels = tuple(labels)
            self.fc = nn.Linear(anatomy.stages[-1].width, len(labels))

        def prepare(self, splits: Any) -> None:
            """Nothing of the data is needed."""

        def forward(self, features: Any) -> Any:
            """A tree: logits (B, C) are the means of the patches' own (B, C, H, W)."""
            maps_BCN = self.fc(features.patches).transpose(1, 2)
            sides = map_of(features.layout)
            return {"logits": maps_BCN.mean(-1), "maps": maps_BCN.unflatten(-1, sides)}

        def loss(self, output: Any, targets: Any) -> "Tensor":
            return nn.functional.cross_entropy(output["logits"].float(), targets)

        def metrics(self) -> nn.Module:
            right = Accuracy(max(2, len(labels)), average="micro")
            return MetricCollection({"error": 1 - right}, compute_groups=False)

        def predict(self, output: Any) -> Sequence[ClassMap]:
            found = output["logits"].float().softmax(-1).max(-1)
            answers = []
            for n, place in enumerate(found.indices.tolist()):
                map_HW = output["maps"][n, place].float().cpu()
                low, high = map_HW.amin(), map_HW.amax()
                seen_HW = (map_HW - low) / (high - low).clamp(min=1e-6)
                answers.append(ClassMap(self.labels[place], found.values[n].item(), seen_HW))
            return answers

    return Head()


@hookimpl
def register_tasks() -> Iterable[Task]:
    yield Task(
        name="class_map",
        config=ClassMapConfig,
        build="class_map:build",
        summary="the class of an image, and where it is seen",
        targets="class",
        needs=frozenset({"grid"}),
    )
