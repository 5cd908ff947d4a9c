"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Backbone, Dataset, Modality, Task

HERE = "onlay_example_sequence"


@hookimpl
def register_modalities() -> Iterable[Modality]:
    yield Modality(
        name="sequence",
        reader=f"{HERE}.reading:reader",
        suffixes=frozenset({".csv", ".jsonl"}),
        values="ids",
        preprocessing=f"{HERE}.config:SequenceFacts",
        summary="sequences of items",
    )


@hookimpl
def register_backbones() -> Iterable[Backbone]:
    yield Backbone(
        name="small_sequence",
        config=f"{HERE}.config:SmallSequenceConfig",
        build=f"{HERE}.build:build",
        adopt=f"{HERE}.build:adopt",
        provides=f"{HERE}.config:provides",
        modality="sequence",
        summary="a small causal transformer over item ids",
        examples=({"width": 16, "items": 20, "length": 8},),
    )


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    yield Dataset(
        name="histories",
        config=f"{HERE}.config:HistoriesConfig",
        build=f"{HERE}.data:build",
        example=f"{HERE}.example:write",
        modality="sequence",
        targets=frozenset({"class"}),
        summary="histories of users, one a line",
    )


@hookimpl
def register_tasks() -> Iterable[Task]:
    yield Task(
        name="next_item",
        config=f"{HERE}.config:NextItemConfig",
        build=f"{HERE}.head:build",
        needs=frozenset({"line", "causal"}),
        targets="class",
        summary="rank all items by how likely each is the next",
    )
