"""Which part judges an epoch, and what is said about it."""

from __future__ import annotations

from onlay.config.train import TrainConfig
from onlay.data import Splits
from onlay.errors import ConfigError
from onlay_train.progress import Progress

PUBLISHED = "best_test_as_published"

OPTIMISTIC = (
    "the epoch was chosen on the test part (`train.selection: best_test_as_published`),"
    " as the papers do: this figure is optimistic and no estimate for new data"
)


def judged_split(config: TrainConfig, splits: Splits) -> str | None:
    """The part that judges every epoch: `validation`, or `test` under the published protocol.

    Raises:
        ConfigError: selection or early stopping needs a part that the data does not have.
    """
    if config.selection == PUBLISHED:
        if not config.evaluate_test:
            raise ConfigError(
                f"`train.selection: {PUBLISHED}` looks at the test part, and"
                " `train.evaluate_test: false` does not"
            )
        if splits.test is None:
            raise ConfigError(
                f"`train.selection: {PUBLISHED}` needs a test part, and there is none"
            )
        return "test"
    if splits.validation is not None:
        return "validation"
    if not config.evaluate_test:
        raise ConfigError(
            "`train.evaluate_test: false` leaves nothing to judge by, for the data have no"
            " validation part: split one off (`data.val_size`)"
        )
    for wish in ("selection: best_val", f"early_stopping: {config.early_stopping}"):
        key, value = wish.split(": ")
        if str(getattr(config, key)) == value != "None":
            raise ConfigError(
                f"`train.{wish}` needs a validation part, and the data has none:"
                " split one off, or leave the key out"
            )
    return None


def stopped_early(progress: Progress, config: TrainConfig, metric: str) -> str:
    """That early stopping ended a run, why, and which weights are kept; nothing where it did
    not."""
    if progress.epoch >= config.epochs:
        return ""
    kept = "its" if config.selection != "last" else "the last epoch's"
    more = "" if config.selection != "last" else ", not its (`train.selection: best_val`),"
    return (
        f"stopped after epoch {progress.epoch} of {config.epochs}: no `{metric}` was better than"
        f" that of epoch {progress.best_epoch} (`train.early_stopping: {config.early_stopping}`);"
        f" {kept} weights{more} are kept"
    )
