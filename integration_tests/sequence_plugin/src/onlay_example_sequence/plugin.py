"""What this package registers; imports no torch."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Backbone, Dataset, Method, Modality, Task

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
    yield Backbone(
        name="nextitnet",
        config=f"{HERE}.config:NextItNetConfig",
        build=f"{HERE}.build:build",
        adopt=f"{HERE}.build:adopt",
        provides=f"{HERE}.config:provides_convolved",
        modality="sequence",
        summary="dilated causal convolutions over item ids",
        examples=({"width": 16, "items": 20, "length": 8, "dilations": [1, 2]},),
    )


@hookimpl
def register_methods() -> Iterable[Method]:
    yield Method(
        name="peterrec",
        config=f"{HERE}.config:PeterrecConfig",
        attach=f"{HERE}.patches:attach",
        count=f"{HERE}.patches:count",
        sites=frozenset({"mlp.in", "fc1.out", "fc2.in", "mlp.out"}),
        traits=frozenset({"identity"}),
        examples=({}, {"kind": "parallel", "norms": True}, {"reduction": 2}),
        unimportable="their code has no licence, and its files are not read",
        summary="bottlenecks grafted behind or beside both layers of a block",
        citation="Yuan, He, Karatzoglou, Zhang: Parameter-Efficient Transfer from Sequential"
        " Behaviors for User Modeling and Recommendation. SIGIR 2020. arXiv:2001.04253",
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
    yield Dataset(
        name="targets",
        config=f"{HERE}.config:TargetsConfig",
        build=f"{HERE}.targets:build",
        example=f"{HERE}.example:write_targets",
        modality="sequence",
        targets=frozenset({"class"}),
        summary="histories of users, and what each chose of something else",
    )


@hookimpl
def register_tasks() -> Iterable[Task]:
    yield Task(
        name="next_item",
        config=f"{HERE}.config:NextItemConfig",
        build=f"{HERE}.head:build",
        needs=frozenset({"line", "causal"}),
        targets="class",
        examples=({}, {"loss": "pairs", "decay": 0.02}),
        summary="rank all items by how likely each is the next",
    )
