"""What plugins register: frozen descriptors of import paths, so that registering costs nothing.

An import path is `"package.module:attribute"`; the host resolves it when the thing is used.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from onlay.errors import OnlayError, PluginError
from onlay.machine.field_docs import with_fields
from onlay.machine.guard import in_words
from onlay.machine.streams import stdout_to_stderr

if TYPE_CHECKING:
    from onlay.settings import Config


def resolve(path: str) -> Any:
    """The object behind `"package.module:attribute"`.

    Raises:
        PluginError: it cannot be imported; the failure is chained.
    """
    try:
        return imported(path)
    except OnlayError:
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"`{path}` cannot be imported: {in_words(error)}") from error


def imported(path: str) -> Any:
    """As `resolve` does, with the failure as it is, for who knows whose plugin it is."""
    module, _, attribute = path.partition(":")
    if module in sys.modules:
        return getattr(import_module(module), attribute)
    with stdout_to_stderr:
        return getattr(import_module(module), attribute)


class ByPath:
    """A field that holds a thing or its import path, and gives the thing.

    A path is resolved when the thing is first asked for, so that listing plugins imports none.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, descriptor: Any, owner: type) -> Any:
        if descriptor is None:
            raise AttributeError("a dataclass field without a default")
        given = vars(descriptor)[self.name]
        return resolve(given) if isinstance(given, str) else given

    def __set__(self, descriptor: Any, given: Any) -> None:
        vars(descriptor)[self.name] = given


class ConfigClass(ByPath):
    """A configuration class."""

    if TYPE_CHECKING:

        def __get__(self, descriptor: Any, owner: type) -> type[Config]: ...

        def __set__(self, descriptor: Any, given: type[Config] | str) -> None: ...


class MethodConfigClass(ConfigClass):
    """A configuration class of a method, with the field that every method has."""

    def __get__(self, descriptor: Any, owner: type) -> type[Config]:
        plain = super().__get__(descriptor, owner)
        fields = getattr(plain, "model_fields", None)
        return plain if fields is None else resolve("onlay.methods.held:held")(plain)


class Suffixes(ByPath):
    """A frozen set of suffixes."""

    if TYPE_CHECKING:

        def __get__(self, descriptor: Any, owner: type) -> frozenset[str]: ...

        def __set__(self, descriptor: Any, given: frozenset[str] | str) -> None: ...


@with_fields
@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to adapt a backbone."""

    name: str
    """What runs call it: `method: arc`."""
    config: ConfigClass = MethodConfigClass()
    """Its settings: a `Config` class, or the import path of one; the field `last_blocks` is added
    to them, and what `attach` is given has only these blocks then."""
    attach: str
    """`attach(place: Placement, config) -> None`, which makes the adapter with verbs."""
    summary: str
    """What it is, in a few words, for lists."""
    needs: frozenset[str] = frozenset()
    """What the backbone must provide (`sequence`, `grid`, `points`, `hierarchical`,
    `class_token`, `insertion`, `extension`)."""
    sites: frozenset[str] = frozenset()
    """Sites that every block must have, of those that a modality's blocks may lack: `fc1.out` where
    no layer's output stands alone before the activation."""
    refuses: Mapping[str, str] = field(default_factory=dict)
    """What the method cannot be used on: a trait that a backbone provides -> the reason in
    words."""
    refusal: str | None = None
    """What it cannot be used on depends on its settings: the import path of `refusal(config,
    provides) -> str`, the reason in words or nothing, answered without importing torch."""
    count: str | None = None
    """`count(config, anatomy) -> int`: how many parameters the method trains, from its formula."""
    traits: frozenset[str] | str = frozenset()
    """What the method promises, for `onlay plugins check`: `identity` (starts as the bare
    backbone), `foldable` (merges exactly into a backbone that can store the result; a few of timm's
    have no bias where one is needed); or, where that depends on the settings or on what the
    backbone provides, the import path of `traits(config, provides) -> frozenset[str]`, answered
    without importing torch."""
    examples: Sequence[Mapping[str, Any]] = ({},)
    """Settings to check the method with, the usual ones first; widths are 8 to 32 there."""
    idle: Mapping[str, str] = field(default_factory=dict)
    """Patterns (`*.experts.*`) of parameters that may stay without a gradient -> why."""
    quiet: Mapping[str, str] = field(default_factory=dict)
    """Settings of which no small backbone of the checks shows an effect, or that have none -> why;
    of every other one some value must change parameters, outputs or training."""
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Named recipes: overrides of a whole run, such as `{"method": {...}, "train": {...}}`, and if
    it is for one `modality` alone, its name."""
    importer: str | None = None
    """`read(path, *, backbone, backbone_out, labels, host) -> AdaptedModel`, for `onlay import`: a
    checkpoint of the authors' code on the named `backbone`, or on the file's own one, whose weights
    are then written to `backbone_out`; `labels` are the class names, if known."""
    also: str | None = None
    """`also(name) -> str`: what somebody is told who asks for a method of that name, if this one
    does it under its own (`lora` is a tuner of `peft`), else empty; answered without importing
    torch."""
    unimportable: str = ""
    """Why there is no checkpoint of the authors to read, in words."""
    citation: str = ""
    """The paper, for model cards."""
    dynamic: str = ""
    """What of the adapter depends on the input, in a few words (`the kernels`), for lists. Empty:
    it is static, every input meets the same layers; what folds always is."""

    @property
    def year(self) -> str:
        """When the paper appeared: the first year that the citation has, or nothing."""
        found = re.search(r"\b(19|20)\d\d\b(?!\.\d)", self.citation)
        return found[0] if found else ""

    def refused(self, config: Config, provides: frozenset[str]) -> str:
        """Why it cannot run with these settings on a backbone that provides this, or nothing."""
        return resolve(self.refusal)(config, provides) if self.refusal else ""

    def promised(self, config: Config, provides: frozenset[str]) -> frozenset[str]:
        """The traits with these settings on a backbone that provides this."""
        if isinstance(self.traits, str):
            return resolve(self.traits)(config, provides)
        return self.traits


@with_fields
@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A family of frozen pretrained networks."""

    name: str
    """What runs call it: `backbone: {name: timm, ...}`."""
    config: ConfigClass = ConfigClass()
    """Its settings: a `Config` class, or the import path of one."""
    build: str
    """`build(config) -> BuiltBackbone`."""
    modality: str
    """Of its inputs."""
    summary: str
    """What it is, in a few words, for lists."""
    provides: str
    """`provides(config) -> frozenset[str]`, answered without importing torch."""
    adopt: str | None = None
    """`adopt(module) -> BuiltBackbone | None`, which recognises a model object that the user
    already holds."""
    catch_all: str | None = None
    """The config field that takes a short form which is no registered name."""
    examples: Sequence[Mapping[str, Any]] = ()
    """Settings of small networks without pretrained weights, for `onlay plugins check`."""
    scratch: bool = False
    """Whether it is a small network without pretraining, which comparisons of its modality train
    from scratch as a control (`controls: [scratch]`); the first of a modality is taken."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Modality:
    """A kind of input."""

    name: str
    """What backbones and data sets call it."""
    reader: str
    """`reader(preprocessing) -> Callable[[Path], Tensor]`, for predicting. What that gives may have
    an attribute `notes`, sentences about all files that it read, said at the end. Of a file that is
    too large for a network it may give an `onlay.model.pieces.InPieces`."""
    suffixes: Suffixes = Suffixes()
    """What its files end in, in lower case and with the dot; or an import path of the set."""
    summary: str
    """What it is, in a few words, for lists."""
    values: Literal["real", "ids"] = "real"
    """What an input's tensor holds: `real` numbers, in the network's own dtype or float32; or
    `ids`, whole numbers (int64) that name things, which nobody scales, rounds or differentiates."""
    preprocessing: str | None = None
    """Import path of a `Config` class of what `reader` is given: bundles are checked by it. It may
    allow further facts, which data sets add."""
    mixes: Mapping[str, str] = field(default_factory=dict)
    """How batches are mixed while training, `mixup` and `cutmix`: import paths of
    `mix(inputs, targets, alpha) -> (inputs, targets)`, new tensors, for `targets` as shares of all
    classes (B, C). They draw from torch's global generator, which is seeded for every batch."""
    thumbnail: str | None = None
    """`thumbnail(inputs: Tensor, preprocessing) -> str`, a small picture of one input as the
    backbone gets it, as a data address (`data:image/png;base64,...`), for reports."""
    measure: str | None = None
    """`measure(config) -> Callable[[source], Sequence[int]]`, for `onlay data check`: for a data
    set's settings what reads all of a file, or of an array or a `Packed`, as training does, and
    gives its extent (height and width; points). It is sent to other processes."""
    tiles: str | None = None
    """`tiles(preprocessing, input_spec, size, overlap) -> onlay.model.tiled.Tiles`, which reads an
    input in full and cuts it into pieces of that (height, width) which overlap, for `onlay predict
    --tile`; raises a `ConfigError` for pieces that the backbone does not take."""
    viewer: str | None = None
    """`view(observations: Sequence[onlay.inspecting.Observation], out: Path) -> None`, which writes
    a page to look at, with several inputs side by side."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Task:
    """Head, loss and metrics."""

    name: str
    """What runs call it: `task: classification`."""
    config: ConfigClass = ConfigClass()
    """Its settings: a `Config` class, or the import path of one."""
    build: str
    """`build(config, anatomy, labels) -> onlay.task.TaskHead`; a function that has a parameter
    `host`, too, is given the plugin host by that name, to find what other plugins brought."""
    summary: str
    """What it is, in a few words, for lists."""
    examples: Sequence[Mapping[str, Any]] = ({},)
    """Settings to check the task with."""
    example: str | None = None
    """`example(anatomy, batch) -> (labels, inputs, targets)` for `onlay plugins check`: names, a
    tensor for the backbone and what `loss` takes; behind them the data's `facts`, where the task
    reads them. Without it: three classes, any inputs, class indices (B,)."""
    quiet: Mapping[str, str] = field(default_factory=dict)
    """Settings of which the checks see no effect, or that have none -> why."""
    targets: str = ""
    """What it learns from, as `Splits.targets` has it (`class`, `labels`, `numbers`, or a word of
    your own); data that give something else are refused. Empty: whatever there is."""
    needs: frozenset[str] = frozenset()
    """What the backbone must provide."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Decoder:
    """From maps of a backbone's blocks to one map, for dense tasks."""

    name: str
    """What tasks call it: `decoder: dpt`."""
    config: ConfigClass = ConfigClass()
    """Its settings: a `Config` class, or the import path of one."""
    build: str
    """`build(config, channels, strides) -> nn.Module`, whose attribute `width` is how many channels
    D it gives, and which makes of a list of maps (B, channels[i], H / strides[i], W / strides[i]),
    rounded up, one map (B, D, h, w), on any grid, which reaches as far as the first of them; a
    stride may be 3.5."""
    takes: frozenset[str]
    """Which maps it can read: `one_stride`, as a plain transformer has them, and `pyramid`, each of
    half the size of the one before."""
    levels: int = 4
    """How many maps it reads; of one it is the last."""
    summary: str
    """What it is, in a few words, for lists."""
    examples: Sequence[Mapping[str, Any]] = ({},)
    """Settings to check the decoder with, the usual ones first."""
    quiet: Mapping[str, str] = field(default_factory=dict)
    """Settings of which the checks see no effect, or that have none -> why."""
    citation: str = ""
    """The paper, for model cards."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A layout of labelled data on disk."""

    name: str
    """What runs call it: `data: {name: image_folder, ...}`."""
    config: ConfigClass = ConfigClass()
    """Its settings: a `Config` class, or the import path of one."""
    build: str
    """`build(config, input_spec, seed) -> onlay.data.Splits`."""
    modality: str
    """Of its inputs."""
    summary: str
    """What it is, in a few words, for lists."""
    whole: str | None = None
    """`whole(config, input_spec, labels) -> onlay.data.Whole`, for `onlay eval` on data that the
    run was not trained on; without it one part of them is judged, as `build` divides them."""
    truth: str | None = None
    """`truth(config, source, file, preprocessing, labels) -> torch.utils.data.Dataset`, for `onlay
    inspect --truth FILE`: of the one item that a `source` is with its truth in a `file` beside the
    data."""
    layout: str | None = None
    """`layout(config) -> onlay.reading.layouts.Layout`, everything as it lies, for `onlay data
    check` and `onlay data pack`: nothing is opened but lists, and nothing split off."""
    measure: str | None = None
    """`measure(config)`, as a modality's, where a target is a file of its own that is to be read,
    too; it may give an `onlay.reading.survey.Extent`, with the classes in it. Default: the
    modality's."""
    targets: frozenset[str] = frozenset()
    """What its targets can be, as `Splits.targets` has it. Where there is a choice, the settings
    have a field `targets`, which the task fills in. Empty: not told."""
    example: str | None = None
    """`example(folder: Path) -> Mapping`: writes a small data set of this layout into an empty
    folder and gives the settings that read it, for `onlay plugins check`."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Exporter:
    """A file format for merged models."""

    name: str
    """What `onlay merge --format` calls it."""
    modality: str
    """Of the models that it writes."""
    export: str
    """`export(model: AdaptedModel, path: Path) -> None`, which writes a file or a folder."""
    summary: str
    """What it is, in a few words, for lists."""
    partial: bool = False
    """Whether it can also hold what cannot be folded (routing, inserted tokens)."""
    suffixes: frozenset[str] = frozenset()
    """What its files end in, in lower case and with the dot, by which `onlay merge --out` chooses
    it; a name that ends otherwise is refused. None: it takes any name."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """A way to step."""

    name: str
    """What `train.opt` calls it."""
    build: str
    """`build(groups, config: TrainConfig, settings) -> torch.optim.Optimizer`. `groups` are torch's
    parameter groups, each with its `weight_decay` and, where it is not `config.lr`, its `lr`. Its
    `state_dict` must hold all that the next step depends on: a run that goes on is equal bit for
    bit. A class with `needs_closure = True` is given a closure in `step`: the step's forward and
    backward passes with the weights as they are then (see `onlay_train.replay`)."""
    summary: str
    """What it is, in a few words, for lists."""
    settings: str | None = None
    """Import path of a `onlay.settings.Config` class of what it takes in `train.opt_kwargs`,
    without a `name`; checked before anything is loaded, and what `build` is given. Without it
    `build` is given the mapping."""
    examples: Sequence[Mapping[str, Any]] = ({},)
    """Settings to check the optimizer with, the usual ones first."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Tracker:
    """Where a run reports to."""

    name: str
    """What `train.trackers` and `--tracker` call it."""
    tracker: str
    """`tracker(run: onlay.hooks.Run) -> accelerate.tracking.GeneralTracker`, called in the main
    process alone, before the first step, at every start of the run. Values come with the optimizer
    step; steps that were done after the checkpoint from which a run goes on come again."""
    summary: str
    """What it is, in a few words, for lists."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Executor:
    """Where the cells of a comparison are trained."""

    name: str
    """What `where: {name: ...}` of a grid calls it."""
    config: ConfigClass = ConfigClass()
    """Its settings: a `Config` class, or the import path of one; a field `jobs`, how many cells are
    trained at a time, is what `onlay compare --jobs` sets."""
    build: str
    """`build(config, folder) -> concurrent.futures.Executor`, without importing torch in this
    process; `folder` (a `Path`, not made yet) is for files of its own. Functions of a module are
    handed to it with plain data (texts, numbers, lists and mappings of them), and run once, each in
    the main thread of a process of its own, in the folder that is current here, and where the
    folder of the comparison is at the same path; what one gives is plain data, too. An `OnlayError`
    that one raises is the exception of its future, in the same words. A process that is killed is
    an exception of its own future and of no other; the cell is begun anew.
    `shutdown(cancel_futures=True)` asks what runs to stop (SIGTERM), and waits until it has."""
    examples: Sequence[Mapping[str, Any]] = ({},)
    """Settings to check the executor with on a machine by itself, the usual ones first."""
    summary: str
    """What it is, in a few words, for lists."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Protocol:
    """A comparison as the papers of a benchmark make it, under a name."""

    name: str
    """What is typed behind `onlay compare`."""
    modality: str
    """Of its inputs."""
    summary: str
    """What it is, in a few words, for lists."""
    grid: str
    """`grid(root: Path) -> Mapping[str, Any]`: the content of a grid file, whose axis `data` holds
    the data sets under labels, with paths below `root`; it looks for files and opens none but
    lists, and imports no torch. `method`, `backbone` and `train.seed` in it are what is taken where
    the command line names none; `search` is what `--trials` asks for."""
    missing: str | None = None
    """`missing(root: Path) -> Mapping[str, str]`: of the data sets that are not there, by their
    labels, where was looked for them and which files are expected, in words that stand behind "is
    not there: ". Without it: those whose `data.path` is not there."""


@with_fields
@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of `onlay`."""

    name: str
    """What is typed behind `onlay`."""
    command: str
    """A `click.Command`, imported when it is called."""
    summary: str
    """What it is, in a few words, for lists."""
