"""Core's own plugin: it comes through the same door as all others."""

from __future__ import annotations

from collections.abc import Iterable

from onlay.descriptors import Command, Method, Task
from onlay.hooks import hookimpl


@hookimpl
def register_methods() -> Iterable[Method]:
    """The methods that every comparison needs."""
    yield Method(
        name="full",
        config="onlay.methods.config:FullConfig",
        attach="onlay.methods.attach:full",
        traits="onlay.methods.config:full_traits",
        summary="every parameter of the backbone is trained",
    )
    yield Method(
        name="linear",
        config="onlay.methods.config:LinearConfig",
        attach="onlay.methods.attach:linear",
        traits=frozenset({"identity", "foldable"}),
        summary="only the head is trained",
    )
    yield Method(
        name="bitfit",
        config="onlay.methods.config:BitFitConfig",
        attach="onlay.methods.attach:bitfit",
        traits=frozenset({"identity", "foldable"}),
        summary="only biases are trained",
        citation="Ben-Zaken, Ravfogel, Goldberg: BitFit. ACL 2022. arXiv:2106.10199",
    )


@hookimpl
def register_tasks() -> Iterable[Task]:
    """A class, or several labels, for an input as a whole."""
    yield Task(
        name="classification",
        config="onlay.tasks.config:ClassificationConfig",
        build="onlay.tasks.classification:build",
        summary="one class for each input",
        targets="class",
        examples=(
            {},
            {"pool": "cls+mean"},
            {"pool": "max", "head_norm": "batch"},
            {"hidden": [8], "hidden_norm": "batch", "dropout": 0.5, "zero_head": True},
            {"hidden": [8], "activation": "gelu"},
            {"class_weights": "balanced", "label_smoothing": 0.1},
        ),
    )

    yield Task(
        name="multilabel",
        config="onlay.tasks.config:MultilabelConfig",
        build="onlay.tasks.multilabel:build",
        summary="any number of labels for each input",
        targets="labels",
        examples=(
            {},
            {"loss": "focal", "label_smoothing": 0.1, "hidden": [8], "activation": "gelu"},
            {"loss": "asymmetric", "pos_weight": "balanced", "pool": "mean"},
        ),
        example="onlay.tasks.examples:several_labels",
    )
    yield Task(
        name="regression",
        config="onlay.tasks.config:RegressionConfig",
        build="onlay.tasks.regression:build",
        summary="one or several numbers for each input",
        targets="numbers",
        examples=(
            {},
            {"loss": "huber", "scaling": "minmax", "hidden": [8], "activation": "gelu"},
            {"loss": "l1", "scaling": "none", "pool": "mean", "unit": "cm"},
        ),
        example="onlay.tasks.examples:numbers",
    )
    yield Task(
        name="several",
        config="onlay.tasks.several.config:SeveralConfig",
        build="onlay.tasks.several.head:build",
        summary="heads of other tasks on one pass of the backbone",
        targets="several",
        examples=(
            {"heads": {"kind": "classification", "size": "regression"}},
            {
                "heads": {
                    "size": {"name": "regression", "scaling": "minmax"},
                    "kind": "classification",
                },
                "weights": {"size": 0.5},
                "main": "kind/top1",
            },
        ),
        example="onlay.tasks.examples:several",
    )


@hookimpl
def register_commands() -> Iterable[Command]:
    """What can be done without training."""
    yield Command(
        name="plugins",
        command="onlay.cli.plugins:plugins",
        summary="List what is installed, and what is broken and why",
    )
    yield Command(
        name="schema",
        command="onlay.cli.schema:schema",
        summary="Print the JSON Schema of run files, for editors",
    )
    yield Command(
        name="explain",
        command="onlay.cli.explain:explain",
        summary="Explain a method, backbone, task, data set or `train`",
    )
    yield Command(
        name="data",
        command="onlay.cli.data:data",
        summary="Check labelled data, or pack them into tars",
    )
    yield Command(
        name="predict",
        command="onlay.cli.predict:predict",
        summary="Tell the class of files with a trained adapter",
    )
    yield Command(
        name="embed",
        command="onlay.cli.embed:embed",
        summary="Write vectors of files, from a trained adapter's backbone",
    )
    yield Command(
        name="inspect",
        command="onlay.cli.inspect:inspect",
        summary="Draw what an adapter does to files, side by side",
    )
    yield Command(
        name="merge",
        command="onlay.cli.merge:merge",
        summary="Fold an adapter into its backbone and write a plain model",
    )
    yield Command(
        name="import",
        command="onlay.cli.import_:import_",
        summary="Turn a checkpoint of a method's authors into a bundle",
    )
    yield Command(
        name="new",
        command="onlay.cli.new:new",
        summary="Write a package to begin a plugin with: a method, a data set, ...",
    )
