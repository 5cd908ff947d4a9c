"""The parts of a data set as a run uses them: one to train on, with a position, others to judge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from accelerate import Accelerator

from onlay.batches import stacked
from onlay.config.train import TrainConfig
from onlay.data import Splits, blocks_in, is_stream
from onlay.errors import DataError, RunError
from onlay_train.balance import classes_of
from onlay_train.engine import loader_workers
from onlay_train.evaluation import Evaluation
from onlay_train.loaders import Collate, size, train_loader
from onlay_train.mixing import Mixing
from onlay_train.pace import pace
from onlay_train.sampler import Plan, PositionedSampler
from onlay_train.seeding import OneEpoch


class Parts:
    """One process's view of the data; `repeats` is how often the training part holds each item.

    Raises:
        DataError: the training part does not fill a single step.
    """

    def __init__(
        self,
        splits: Splits,
        config: TrainConfig,
        accelerator: Accelerator,
        mixing: Mixing | None = None,
        collate: Collate = stacked,
        repeats: int = 1,
    ) -> None:
        self.mixing = mixing
        self.digest = splits.digest
        named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
        judged = {"validation": splits.validation}
        judged |= {"test": splits.test} if config.evaluate_test else {}
        if config.evaluate_train and not is_stream(splits.train):
            judged["train"] = OneEpoch(splits.train, config.seed, config.epochs, repeats)
        self.sizes = {split: size(part) for split, part in named.items() if part is not None}
        self.plan = Plan(
            size=size(splits.train),
            batch_size=config.batch_size,
            accumulate=config.grad_accum_steps,
            world=accelerator.num_processes,
            seed=config.seed,
            classes=classes_of(splits.train) if config.sampler == "balanced" else None,
            blocks=blocks_in(splits.train),
        )
        if not self.plan.steps():
            raise DataError(
                f"the training part has {self.plan.size} samples, too few for the"
                f" {self.plan.parts} batches of one step (processes times `train.grad_accum_steps`)"
            )
        device = accelerator.device
        workers = loader_workers(config, device, accelerator.num_processes)
        self.sampler = PositionedSampler(self.plan, accelerator.process_index)
        given: Any = {"workers": workers, "collate": collate}
        self.loader = train_loader(splits.train, self.sampler, device=device, **given)
        self.evaluations = {
            split: Evaluation(part, accelerator, batch_size=config.eval_batch_size, **given)
            for split, part in judged.items()
            if part is not None
        }

    def identity(self) -> dict[str, Any]:
        """What tells these data from others, for a checkpoint."""
        return {"digest": self.digest, "sizes": self.sizes}

    def facts(self) -> dict[str, Any]:
        """What a checkpoint tells of the data and of how they go by."""
        return {"data": self.identity(), "pace": pace(self.plan)}

    def require_same(self, saved: Mapping[str, Any]) -> None:
        """Are these the data that a checkpoint was written with?

        Raises:
            RunError: other items, labels or sizes of files in one of the parts.
        """
        if saved == self.identity():
            return
        then, now = _counted(saved["sizes"]), _counted(self.sizes)
        what = (
            f"{then} then, {now} now" if then != now else "as many items, others or in other parts"
        )
        raise RunError(
            f"the data changed since this run began ({what}): names, labels or sizes of files are"
            " not those that were trained on, and what is kept for the test may be among them; put"
            " the data back as they were, or begin a new run with `out=...`"
        )

    def from_offset(self, epoch: int, offset: int) -> Iterable[Any]:
        """The batches of an epoch from a position on, mixed where that is asked for."""
        self.sampler.epoch, self.sampler.offset = epoch, offset
        if self.mixing is None:
            return self.loader
        slices = self.plan.slices(self.sampler.rank, offset)
        return self.mixing.of(self.loader, epoch, (part.start for part in slices))


def _counted(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in sizes.items())
