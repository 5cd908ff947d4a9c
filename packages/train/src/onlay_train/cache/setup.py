"""`train.cache: prefix`: parts of the data with what the frozen front gives for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedType, send_to_device

from onlay.batches import stacked
from onlay.bundle.fingerprint import fingerprint
from onlay.config.train import TrainConfig
from onlay.data import Splits, is_stream
from onlay.errors import ConfigError
from onlay.machine.system import cache_folder
from onlay.model.prefix import Prefix
from onlay_train.cache.filling import Filler, Watched, content, refuse_chance, stacked_inputs
from onlay_train.cache.items import KeptItems, Targets
from onlay_train.cache.probe import Probed, probe
from onlay_train.cache.store import Column, Store, check_room, in_bytes, taken
from onlay_train.engine import loader_workers
from onlay_train.grid.identity import digest
from onlay_train.sampler import Plan

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.model.adapted import AdaptedModel

Say = Callable[[str], None]
FORMAT = 2
"""Of what is kept; other ones are not read."""
JUDGED = "judged train"
"""The training part as it is judged after the last epoch: a view on which nothing was trained."""
DTYPES = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Part:
    """One part of the data, to be kept."""

    name: str
    data: Any
    batch: int
    views: int
    store: Store
    items: Watched
    rows: int
    """Samples of each view."""
    first: int = 0
    """The epoch of the first view."""


def cached(
    model: AdaptedModel,
    splits: Splits,
    config: RunConfig,
    accelerator: Accelerator,
    *,
    say: Say,
    fill: bool = True,
) -> Splits:
    """The parts as they are learnt from and judged, each with what the front gives; computed now
    where no earlier start did, unless only its size is to be told.

    Raises:
        OnlayError: this run cannot keep it, and why; the disk has too little room.
    """
    refuse_settings(model, splits, config.train, accelerator)
    model.to(accelerator.device)
    read = first_items(splits.train, config.train)
    targets, chance = Targets(read[0][1]), any(drew for *_, drew in read)
    if config.train.cache_views is None:
        refuse_chance(read)
    first = stacked_inputs(read), stacked([target for _, target, _ in read])
    batch: Any = send_to_device(first, accelerator.device)
    found = probe(model, batch, sizes_of(splits, config.train, accelerator), accelerator.autocast)
    precision = DTYPES[config.train.cache_dtype]
    filler = Filler(model, found.prefix, accelerator.autocast, precision, accelerator.device)
    row = filler.rounded(dict(found.like)) | {
        name: t[None] for name, t in targets.taken(read[0][1]).items()
    }
    columns = [Column.of(name, t[0]) for name, t in row.items()]
    shared = facts(model, splits, config, accelerator, found.prefix)
    parts = list(parts_of(splits, config, accelerator, shared, columns, targets, chance))
    for part in parts:
        part.store.check()
    missing = [part.store for part in parts if not part.store.whole]
    say(told(found, parts, missing, config.train, chance))
    if not fill:
        return splits
    for place, part in enumerate(parts):
        _fill(part, parts[place:], filler, targets, config.train, accelerator, say)
    model.prefix = found.prefix
    own = {p.name: KeptItems(p.store, targets, p.data, p.views) for p in parts}
    if (last := own.pop(JUDGED, None)) is not None:
        own["train"].judged = config.train.epochs, last
    kept: dict[str, Any] = own
    return replace(splits, **kept)


def refuse_settings(
    model: AdaptedModel, splits: Splits, config: TrainConfig, accelerator: Accelerator
) -> None:
    """Raise a `ConfigError` for what needs inputs as they are, or a model that is left alone."""
    several = accelerator.distributed_type
    reasons = {
        "`train.compile` compiles the whole pass": config.compile,
        "`train.mixup` and `train.cutmix` mix inputs": bool(config.mixup or config.cutmix),
        "a stream has no items that could be kept": is_stream(splits.train),
        f"`{model.task.name}` joins inputs to batches in a way of its own": hasattr(
            model.head, "collate"
        ),
        "the model is spread over devices": several
        in (DistributedType.FSDP, DistributedType.DEEPSPEED),
    }
    for reason in (text for text, so in reasons.items() if so):
        raise ConfigError(f"{reason}, which `train.cache` cannot do: leave one of them out")


def first_items(part: Any, config: TrainConfig) -> list[Any]:
    """As the first epoch sees them, and whether chance changed each."""
    items = Watched(part, config.seed, fills=True, chance=True)
    return [items[0, index] for index in range(min(len(part), config.batch_size))]


def sizes_of(splits: Splits, config: TrainConfig, accelerator: Accelerator) -> list[int]:
    """Of the batches of a training epoch."""
    size: Any = splits.train
    plan = Plan(
        size=len(size),
        batch_size=config.batch_size,
        accumulate=config.grad_accum_steps,
        world=accelerator.num_processes,
    )
    return sorted({part.stop - part.start for part in plan.slices(0)})


def parts_of(
    splits: Splits,
    config: RunConfig,
    accelerator: Accelerator,
    shared: Mapping[str, Any],
    columns: list[Column],
    targets: Targets,
    chance: bool,
) -> Iterator[Part]:
    own = config.train
    root = (own.cache_dir or cache_folder() / "prefix").expanduser()
    workers = loader_workers(own, accelerator.device, accelerator.num_processes)
    judged = {"validation": splits.validation, "test": splits.test if own.evaluate_test else None}
    for name, data in {"train": splits.train, **judged}.items():
        if data is None:
            continue
        learnt: Any = name == "train"
        views = own.cache_views or 1 if learnt and chance else 1
        batch = own.batch_size if learnt else own.eval_batch_size
        rows: Any = data
        items = Watched(data, own.seed, fills=learnt, chance=learnt and chance)
        key = {
            **shared,
            "content": content(items, targets, workers),
            "columns": [asdict(column) for column in columns],
            "part": [name, len(rows), batch],
            "views": [views, own.seed] if learnt and chance else 1,
        }
        store = Store(root / digest(key), columns, views * len(rows))
        yield Part(name, data, batch, views, store, items, len(rows))
        if learnt and chance and own.evaluate_train:
            count = len(rows) // splits.facts.get("train_repeats", 1)
            last = {**key, "part": [JUDGED, count, batch], "views": [own.epochs, own.seed]}
            store = Store(root / digest(last), columns, count)
            yield Part(JUDGED, data, batch, 1, store, items, count, first=own.epochs)


def facts(
    model: AdaptedModel,
    splits: Splits,
    config: RunConfig,
    accelerator: Accelerator,
    prefix: Prefix,
) -> Mapping[str, Any]:
    """Everything on which a kept number depends, down to its last bit; the method is not among
    them, but which block's output it is."""
    dump, device = config.model_dump(mode="json"), accelerator.device
    return {
        "format": FORMAT,
        "front": [prefix.first, *map(int, getattr(model.head, "levels", ()))],
        "fingerprint": fingerprint(model.anatomy.trunk()),
        "packages": model.packages.get("backbone"),
        **{name: dump[name] for name in ("backbone", "data", "fold")},
        "digest": splits.digest,
        "preprocessing": splits.preprocessing,
        "precision": accelerator.mixed_precision,
        "torch": torch.__version__,
        "timm": version("timm") if find_spec("timm") else "",
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "tf32": torch.backends.cuda.matmul.allow_tf32,
        "threads": torch.get_num_threads(),
        "processor": torch.backends.cpu.get_cpu_capability(),
    }


def told(
    found: Probed, parts: list[Part], missing: list[Store], config: TrainConfig, chance: bool
) -> str:
    """What is kept and where, how much that is, and what it does to the weights."""
    size, rows = sum(p.store.size for p in parts), sum(p.store.rows for p in parts)
    new = sum(store.size for store in missing)
    where = parts[0].store.folder.parent
    written = f"{in_bytes(new)} of them still to be written" if new else "all there already"
    return (
        f"cache: {found.prefix.told}, {rows:,} samples and views, {in_bytes(size)} in `{where}`"
        f" ({written}); {exactness(found, config, chance)}"
    )


def exactness(found: Probed, config: TrainConfig, chance: bool) -> str:
    if chance and config.sampler == "balanced":
        return (
            f"each training sample is seen in {config.cache_views} views, which come in turn, also"
            " where it comes several times in an epoch"
        )
    if chance and (config.cache_views or 1) < config.epochs:
        return f"each training sample is seen in {config.cache_views} views, which come in turn"
    if config.cache_dtype != "float32":
        return f"rounded to {config.cache_dtype}: weights come near those of a run without it"
    if found.worst:
        return (
            f"the last bits of a sample depend on its batch (by {found.worst:.1g} of the largest"
            " number): weights agree with those of a run without it to 1e-6 or so, not bit for bit"
        )
    return "a sample has the same bits in any batch: weights are those of a run without it"


def _fill(
    part: Part,
    left: list[Part],
    filler: Filler,
    targets: Targets,
    config: TrainConfig,
    accelerator: Accelerator,
    say: Say,
) -> None:
    """Write what nobody else has written, or is writing; `left` are this part and those behind it,
    for which there must be room."""
    if part.store.whole:
        return
    lock = part.store.lock()
    if not taken(lock):
        say(f"cache: waits for the {part.name} part, which another start is writing")
        lock.acquire()
    try:
        if not part.store.whole:
            check_room(other.store for other in left if not other.store.whole)
            part.store.write(_batches(part, filler, targets, config, accelerator), part.name)
    finally:
        lock.release()


def _batches(
    part: Part, filler: Filler, targets: Targets, config: TrainConfig, accelerator: Accelerator
) -> Iterator[tuple[int, dict[str, Any]]]:
    filler.model.train(part.name == "train")
    workers = loader_workers(config, accelerator.device, accelerator.num_processes)
    views = range(part.first, part.first + part.views)
    keys = [(view, i) for view in views for i in range(part.rows)]
    yield from filler.batches(part.items, keys, part.batch, targets, workers)
