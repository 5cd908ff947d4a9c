"""The bundle of a finished run, on a part of its data or of other data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch.utils.data import Dataset

from onlay.bundle.reading import read_manifest
from onlay.config import load as load_config
from onlay.config.overrides import says
from onlay.config.run import RunConfig
from onlay.errors import RunError
from onlay.host import PluginHost
from onlay.model.assemble import move_targets
from onlay.model.loading import load
from onlay.model.splits import read_splits
from onlay.pages.observing import made_by
from onlay.reports import Measure, measures_of
from onlay_train.collected import Collected
from onlay_train.engine import loader_workers, make_accelerator
from onlay_train.evaluation import Evaluation
from onlay_train.folder import RunFolder
from onlay_train.in_full import InPiecesModel, OneInput, OwnSize
from onlay_train.judged import judged
from onlay_train.knn import knn_top1, vectors_of
from onlay_train.loaders import collate_of, size
from onlay_train.report_folder import Judged, check_free, write_report
from onlay_train.voting import Voted, Voter

if TYPE_CHECKING:
    from onlay.model.adapted import AdaptedModel


@dataclass(frozen=True)
class Judgement:
    """Metrics of what was judged."""

    metrics: Mapping[str, float]
    samples: int
    split: str
    """`test`, `validation`, `train`, or `all`."""
    what: str
    """The same in words."""
    notes: Sequence[str] = ()
    """What should be known beside."""
    measures: Mapping[str, Measure] = field(default_factory=dict)
    """How the metrics are read; one that is not here is a share."""


def evaluate_run(
    run: Path,
    host: PluginHost,
    *,
    split: str | None = None,
    overrides: Iterable[str] = (),
    votes: int = 0,
    knn: int = 0,
    own_size: OwnSize | None = None,
    report: Path | None = None,
) -> Judgement:
    """Judge the run's own data, by default their test part, or other ones, by default all of them.

    With `votes` metrics are those of the mean over so many ballots (see `onlay_train.voting`),
    under names of their own: `voted_top1`. With `knn` it is `knn_top1` alone, of so many nearest
    neighbours in the run's own training part. With `own_size` inputs are judged in the size that
    they have on disk: `own_size_miou`, or `tiled_miou` in tiles. `report` is a folder for what
    `onlay_train.report_folder` writes.

    Raises:
        RunError: the folder is no finished run.
        DataError: the data has no such part, one that cannot be voted on, or other classes than
            the bundle.
    """
    folder = RunFolder(run)
    folder.check_plain()
    if not folder.config.exists() or not folder.bundle.exists():
        raise RunError(f"`{run}` is no finished run: it needs `config.yaml` and `bundle/`")
    if report is not None:
        check_free(report)
    own, config = _configs(folder.config, list(overrides), host)
    model = load(folder.bundle, host=host)
    found = judged(
        config,
        own,
        split=split,
        digest=read_manifest(folder.bundle).data.get("split", ""),
        labels=model.head.labels,
        input_spec=model.built.input_spec,
        host=host,
    )
    part = found.dataset
    move_targets(model.head, part)
    accelerator = make_accelerator(config.train)
    workers = loader_workers(config.train, accelerator.device, accelerator.num_processes)
    called = accelerator.prepare_model(model, evaluation_mode=True)
    batch_size = config.train.eval_batch_size
    if knn:
        sizes = {"batch_size": batch_size, "workers": workers}
        memory, notes = _memory(own, model.built.input_spec, host)
        parts = [vectors_of(model, each, **sizes) for each in (memory, part)]
        metrics = {"knn_top1": knn_top1(*parts, neighbours=knn)}
        return Judgement(metrics, size(part), found.split, found.what, (*found.notes, *notes))
    if votes:
        part, called = Voted(part, votes, config.data.name), Voter(called)
        batch_size = max(1, batch_size // votes)
    collate, what, prefix = collate_of(model.head), found.what, "voted" if votes else ""
    if own_size is not None:
        part, called = (
            own_size.part(part, model, host, config.data.name),
            InPiecesModel(called, batch_size),
        )
        collate, batch_size = OneInput(collate), 1
        what, prefix = f"{what}, {own_size}", own_size.prefix
    evaluation = Evaluation(
        part,
        accelerator,
        batch_size=batch_size,
        workers=workers,
        collate=collate,
    )
    measures = measures_of(model.head)
    seen = Collected(model.head) if report is not None else None
    metrics = evaluation(called, model, seen=seen or (lambda output, targets: None))
    if prefix:
        metrics = {f"{prefix}_{name}": value for name, value in metrics.items()}
    host.evaluated(model, found.split, metrics, folder.run(own))
    if report is not None and seen is not None:
        if evaluation.broken:
            raise RunError(
                f"the outputs of `{run}` are no numbers (NaN or infinite): there is nothing to"
                " report"
            )
        told = seen.report()
        if accelerator.is_main_process:
            facts = made_by("eval", run) | _about(model)
            about = Judged(metrics, size(part), what, facts, measures)
            modality = host.modalities.get(model.built.modality)
            write_report(report, told, about, found.dataset, modality, model.preprocessing)
    return Judgement(metrics, size(part), found.split, what, found.notes, measures)


def _about(model: AdaptedModel) -> dict[str, str]:
    return {"method": model.method.name, "backbone": model.built.label, "task": model.task.name}


def _memory(own: RunConfig, input_spec: Any, host: PluginHost) -> tuple[Dataset[Any], list[str]]:
    """The run's own training part, as it is shown in evaluation if it can be."""
    train = read_splits(own, input_spec, host).train
    plain = getattr(train, "plain", None)
    if plain is not None:
        return plain, []
    told = f"the training part of `{own.data.name}` has no `plain` view: it is taken as in training"
    return train, [told]


def _configs(path: Path, overrides: Sequence[str], host: PluginHost) -> tuple[RunConfig, RunConfig]:
    """The run's own, and that of the data to judge, which are prepared as the run's unless the
    overrides say how."""
    own = load_config(path, (), host=host)
    if not overrides:
        return own, own
    config = load_config(path, overrides, host=host)
    ours, theirs = getattr(own.data, "preprocess", None), getattr(config.data, "preprocess", None)
    own_way = any(says(word, "data", "preprocess") for word in overrides)
    if type(ours) is type(theirs) and not own_way:
        data = config.data.model_copy(update={"preprocess": ours})
        config = config.model_copy(update={"data": data})
    return own, config
