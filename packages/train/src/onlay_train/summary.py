"""What a finished run came to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from onlay.errors import RunError
from onlay.reports import Measure, measure_named


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Metrics are keyed `test_top1`, `validation_loss`; shares are fractions, sizes bytes."""

    folder: str
    method: str
    backbone: str
    main_metric: str
    metrics: dict[str, float]
    """Of the weights in the bundle."""
    selection: str
    chosen_epoch: int
    """The epoch, from 1, whose weights are in the bundle."""
    epochs: int
    """Epochs that were trained."""
    seed: int
    parameters: dict[str, int]
    """`method`, `head`, the parts that the head tells apart, `other`, and the frozen `backbone`
    beside them."""
    seconds: float
    peak_bytes: int
    device: str
    bundle_bytes: int
    measures: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """How each metric is read, by its name without the part: `unit` and `better`; one that is not
    here is a share, and higher is better."""

    chosen: Mapping[str, Any] = field(default_factory=dict)
    """What the task's head chose where its settings left it open: `{"decoder": "dpt"}`."""

    stopped_early: int = 0
    """Epochs without a better one after which `train.early_stopping` ended the run; 0: it trained
    all of its epochs."""

    @property
    def trained(self) -> int:
        """Trained parameters, head included."""
        return sum(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Trained parameters, each once: `method`, `head`, its parts, `other`."""
        return {part: n for part, n in self.parameters.items() if part != "backbone"}

    @property
    def head(self) -> int:
        """Those of the head, its parts included."""
        return self.trained - self.parameters["method"] - self.parameters["other"]

    @property
    def share(self) -> float:
        """Trained parameters in percent of the backbone's."""
        return 100 * self.trained / self.parameters["backbone"]

    @property
    def score(self) -> tuple[str, float] | None:
        """The last word: the main metric on the test part, else on the validation part."""
        for split in ("test", "validation"):
            if (key := f"{split}_{self.main_metric}") in self.metrics:
                return split, self.metrics[key]
        return None

    def measure(self, metric: str) -> Measure:
        """How a metric (`top1`, `test_top1`) is read."""
        return measure_named(metric, {name: Measure(**own) for name, own in self.measures.items()})

    def dump(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        """What `summary.json` holds: the fields, and a hash of them by which damage is known."""
        fields = self.dump()
        return json.dumps(fields | {"sha256": _digest(fields)}, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path) -> Summary:
        """Read it back; a `RunError` where it is damaged."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields.pop("sha256") != _digest(fields):
                raise ValueError("it is not what was written")
            return cls(**fields)
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(
                f"`{path}` is damaged: delete it, and the same command writes it again"
            ) from error


def _digest(fields: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
