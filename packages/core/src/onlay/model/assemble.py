"""From names and configs to a model: the one place where backbone, method and task meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from onlay.anatomy import BuiltBackbone, Placement
from onlay.anatomy.attachments import Attachments
from onlay.anatomy.last_blocks import held_to, refuse_earlier
from onlay.anatomy.liveness import check_frozen, prove_alive
from onlay.config import parse
from onlay.config.chosen import settled
from onlay.config.oneof import inner_blocks
from onlay.descriptors import Method
from onlay.errors import AnatomyError, ConfigError
from onlay.host import PluginHost
from onlay.host.fit import check_fit, check_sites, check_targets
from onlay.host.heads import head_of
from onlay.host.mistakes import mistakes_of
from onlay.machine.chance import seeds_kept
from onlay.methods.held import last_blocks
from onlay.model.adapted import AdaptedModel
from onlay.model.adopting import adopted
from onlay.model.arguments import refuse_misspelt, refuse_unreadable, refuse_unwritable
from onlay.model.class_names import class_names
from onlay.model.losses import check_losses
from onlay.model.splits import read_splits
from onlay.model.unread import rest_unread
from onlay.settings import Config

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.data import Splits
    from onlay.hooks import Run


@torch.inference_mode(False)
def adapt(
    backbone: str | Mapping[str, Any] | Config | nn.Module | BuiltBackbone,
    method: str | Mapping[str, Any] | Config,
    *,
    task: str | Mapping[str, Any] | Config = "classification",
    labels: Sequence[str] | None = None,
    num_classes: int | None = None,
    name: str = "default",
    preprocessing: Mapping[str, Any] | None = None,
    host: PluginHost | None = None,
    verify: bool = True,
) -> AdaptedModel:
    """Put an adapter on a frozen backbone, and a task's head behind it.

    Args:
        backbone: a name (`vit_tiny_patch16_224.augreg_in21k`), a backbone config, or a model object
            that you hold; the object is used as it is, not copied. One that is compiled, spread
            over devices, or part of a trainer's module is looked through.
        method: a name (`"arc"`), a mapping (`{"name": "arc", "rank": 8}`) or a method config.
        task: likewise.
        labels: class names in the order of the outputs; or give `num_classes`.
        name: several adapters can share one backbone under different names.
        preprocessing: how inputs are prepared, for the bundle; default: the backbone's own input
            specification.
        verify: run the liveness check (one forward pass on one random input).

    Returns:
        A module: `model(inputs)` gives logits (B, classes), `model.loss((inputs, targets))` a
        scalar.

    Raises:
        AnatomyError: the backbone lacks what the method needs, or the adapter would do nothing.
        ConfigError: `labels` is no list of different class names; `name` is no text;
            `preprocessing` is nothing that a bundle can hold, or that the modality can read.
        UnknownName: no installed plugin has that backbone, method or task.

    >>> model = onlay.adapt("onlay_vit_64", "arc", num_classes=10)  # doctest: +SKIP
    """
    host, names = host or PluginHost.discover(), class_names(labels, num_classes)
    built = as_built(backbone, host)
    refuse_misspelt(preprocessing, host.modalities.get(built.modality))
    method_config = parse("method", method, host)
    task_config = parse("task", task, host)
    head = build_head(task_config, built, names, host)
    return attach(
        built,
        method_config,
        host.find("method", method_config.name),
        head,
        task=task_config,
        name=name,
        preprocessing=preprocessing,
        verify=verify,
        host=host,
    )


@torch.inference_mode(False)
def attach(
    built: BuiltBackbone,
    config: Config,
    method: Method,
    head: nn.Module,
    *,
    task: Config,
    host: PluginHost,
    name: str = "default",
    preprocessing: Mapping[str, Any] | None = None,
    verify: bool = True,
    run: Run | None = None,
) -> AdaptedModel:
    """Let a method place its adapter, check it, and make the model."""
    refuse_unwritable(name, preprocessing)
    refuse_unreadable(preprocessing, host.modalities.get(built.modality))
    _refuse_without_gradients(built)
    check_fit(method, built.anatomy.provides, built.anatomy.unfit, built.label, config)
    check_sites(method, built.anatomy, built.label)
    attachments = Attachments.of(built.module)
    with attachments.lock:  # no other thread sees half an adapter
        attachments.refuse_taken(name)
        attachments.activate(None)
        place = Placement(built.anatomy, last_blocks(config))
        try:
            if not built.anatomy.freeze_bn:
                place.thaw_statistics()
            host.load("method", method.name, "attach")(place, config)
            place.adapter.to(**_beside(built.module))
            attachments.add(name, place.adapter)
            model = AdaptedModel(
                built,
                place.adapter,
                head.to(**_beside(built.module)),
                method=config,
                task=settled(task, head),
                name=name,
                preprocessing=built.input_spec if preprocessing is None else preprocessing,
                packages=_packages(built, config, settled(task, head), host),
            )
            _check(model, method, verify, host)
            rest_unread(model)
            host.adapter_attached(model, run)
        except BaseException:
            attachments.remove(name, built.module)
            raise
        return model


def _refuse_without_gradients(built: BuiltBackbone) -> None:
    if any(p.is_inference() for p in built.module.parameters()):
        raise AnatomyError(
            f"`{built.label}` was made within `torch.inference_mode()`: it passes no gradient on"
            " and can carry no adapter; make it outside"
        )


def _beside(backbone: nn.Module) -> dict[str, Any]:
    """Where adapter and head go: they are float32 beside a backbone in half precision, too."""
    first = next(backbone.parameters())
    return {
        "device": first.device,
        "dtype": torch.float64 if first.dtype == torch.float64 else None,
    }


@torch.inference_mode(False)
def build_backbone(config: Config, host: PluginHost, run: Run | None = None) -> BuiltBackbone:
    """Build the backbone that a config describes, weights and all; plugins are told for which
    `run`."""
    build = host.load("backbone", config.name, "build")
    with seeds_kept():
        with mistakes_of("backbone", config.name, host):
            built = build(config)
            if not isinstance(built, BuiltBackbone):
                raise TypeError(f"its `build` gives a `{type(built).__name__}`, no `BuiltBackbone`")
        host.backbone_built(built, run)
    return built


@torch.inference_mode(False)
def build_head(
    config: Config, built: BuiltBackbone, labels: Sequence[str], host: PluginHost
) -> Any:
    """A task's fresh head (`onlay.task.TaskHead`), if the backbone provides what the task needs."""
    return head_of(config, built.anatomy, labels, host, built.label)


def assemble(
    config: RunConfig, host: PluginHost, run: Run | None = None
) -> tuple[AdaptedModel, Splits]:
    """Backbone, data, adapter and head of a run."""
    built = build_backbone(config.backbone, host, run)
    splits = read_splits(config, built.input_spec, host)
    named = host.find("task", config.task.name), host.find("dataset", config.data.name)
    check_targets(*named, splits.targets, host.datasets)
    head = build_head(config.task, built, splits.labels, host)
    move_targets(head, splits.train, splits.validation, splits.test)
    model = attach(
        built,
        config.method,
        host.find("method", config.method.name),
        head,
        task=config.task,
        preprocessing=splits.preprocessing,
        host=host,
        run=run,
    )
    model.prepare(splits)
    return model, splits


def move_targets(head: Any, *parts: Any) -> None:
    """Tell the parts of data, as far as they can move targets with inputs, which leaves lie on an
    input."""
    for part in parts:
        moves = getattr(part, "move_targets", None)
        if moves is not None:
            moves(getattr(head, "target_kinds", None))


def as_built(backbone: Any, host: PluginHost) -> BuiltBackbone:
    """What `adapt` takes as a backbone: a name, a config, a model object or what is built already.

    An object that wraps the backbone (compiled, for several devices, a trainer's own module) is
    looked through; the backbone inside is what is adapted.

    Raises:
        AnatomyError: a model object of which no installed plugin knows the anatomy, or one that
            holds several backbones.
    """
    if isinstance(backbone, BuiltBackbone):
        return backbone
    if isinstance(backbone, nn.Module):
        return adopted(backbone, host)
    if isinstance(backbone, str | Mapping | Config):
        return build_backbone(parse("backbone", backbone, host), host)
    raise ConfigError(
        "give the backbone as a name, a mapping with a `name`, a config or a model object, not as"
        f" a `{type(backbone).__name__}`"
    )


def _packages(
    built: BuiltBackbone, method: Config, task: Config, host: PluginHost
) -> dict[str, dict[str, str]]:
    named = {kind: block.name for kind, block in inner_blocks(task)}
    named |= {"method": method.name, "task": task.name}
    if built.source:
        named["backbone"] = built.source["name"]
    if built.modality in host.modalities:
        named["modality"] = built.modality
    owners = {kind: host.owner(kind, name) for kind, name in named.items()}
    return {k: {"distribution": o.distribution, "version": o.version} for k, o in owners.items()}


def check_levels(model: AdaptedModel, method: Method) -> None:
    """Raise an `AnatomyError` for a network beside the backbone, which only what reads the last
    tokens sees, and a head that reads what blocks give."""
    pipe = model.adapter.pipes.get("norm.out")
    beside = pipe is not None and any(not branch.sequential for branch in pipe.incoming)
    if beside and getattr(model.head, "levels", ()):
        raise AnatomyError(
            f"`{method.name}` is a network beside the backbone, whose output takes the place of the"
            f" last tokens, and `{model.task.name}` reads what blocks give: take another method"
        )


def _check(model: AdaptedModel, method: Method, verify: bool, host: PluginHost) -> None:
    refuse_earlier(model.adapter, last_blocks(model.method), f"method `{method.name}`")
    check_frozen(model.backbone, model.adapter)
    check_losses(model.adapter, method.name)
    check_levels(model, method)
    if method.count is not None:
        seen = held_to(model.anatomy, last_blocks(model.method))
        expected = host.call("method", method.name, "count", model.method, seen)
        report = model.trainable_report()
        actual = report.method + report.other
        if actual != expected:
            raise AnatomyError(
                f"`{method.name}` says that it trains {expected:,} parameters but trains {actual:,}"
            )
    if verify:
        prove_alive(model.adapter)
