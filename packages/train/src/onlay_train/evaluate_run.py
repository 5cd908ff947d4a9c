"""The bundle of a finished run, on a part of its data or of other data."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch.utils.data import Dataset

from onlay.bundle import load
from onlay.config import load as load_config
from onlay.config.run import RunConfig
from onlay.data import Splits
from onlay.descriptors import resolve
from onlay.errors import DataError, RunError
from onlay.host import PluginHost
from onlay_train.engine import loader_workers, make_accelerator
from onlay_train.evaluation import Evaluation
from onlay_train.folder import RunFolder
from onlay_train.loaders import size
from onlay_train.voting import Voted, Voter


def evaluate_run(
    run: Path,
    host: PluginHost,
    *,
    split: str = "test",
    overrides: Iterable[str] = (),
    votes: int = 0,
) -> tuple[dict[str, float], int]:
    """The metrics of a split and the number of its samples.

    With `votes` they are those of the mean over so many ballots (see `onlay_train.voting`), under
    names of their own: `voted_top1`.

    Raises:
        RunError: the folder is no finished run.
        DataError: the data has no such part, one that cannot be voted on, or other classes than
            the bundle.
    """
    folder = RunFolder(run)
    if not folder.config.exists() or not folder.bundle.exists():
        raise RunError(f"`{run}` is no finished run: it needs `config.yaml` and `bundle/`")
    config = load_config(folder.config, overrides, host=host)
    model = load(folder.bundle, host=host)
    splits = _splits(config, model.built.input_spec, host)
    if tuple(splits.labels) != tuple(model.head.labels):
        raise DataError(
            f"the data has the classes {_few(splits.labels)},"
            f" the bundle was trained for {_few(model.head.labels)}"
        )
    part = _part(splits, split, config)
    accelerator = make_accelerator(config.train)
    workers = loader_workers(config.train, accelerator.device, accelerator.num_processes)
    called = accelerator.prepare_model(model, evaluation_mode=True)
    batch_size = config.train.eval_batch_size
    if votes:
        part, called = Voted(part, votes, config.data.name), Voter(called)
        batch_size = max(1, batch_size // votes)
    evaluation = Evaluation(part, accelerator, batch_size=batch_size, workers=workers)
    model.head.prepare(splits)
    metrics = evaluation(called, model)
    if votes:
        metrics = {f"voted_{name}": value for name, value in metrics.items()}
    host.evaluated(model, split, metrics)
    return metrics, size(part)


def _splits(config: RunConfig, input_spec: object, host: PluginHost) -> Splits:
    build = resolve(host.find("dataset", config.data.name).build)
    return build(config.data, input_spec, config.train.seed)


def _part(splits: Splits, split: str, config: RunConfig) -> Dataset:
    part = getattr(splits, split)
    if part is None:
        have = [n for n in ("train", "validation", "test") if getattr(splits, n) is not None]
        raise DataError(f"`{config.data.name}` has no {split} part (have: {', '.join(have)})")
    return part


def _few(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels[:5]) + (" ..." if len(labels) > 5 else "")
