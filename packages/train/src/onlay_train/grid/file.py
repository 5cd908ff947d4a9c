"""What a grid file says: axes, what all cells share, what is searched, what is left out, where."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from onlay.config.files import read
from onlay.config.oneof import OneOf
from onlay.config.sentences import as_one_sentence
from onlay.errors import ConfigError
from onlay.settings import Config
from onlay_train.grid.controls import Control
from onlay_train.grid.executors.config import LocalConfig

if TYPE_CHECKING:
    from onlay.host import PluginHost

Number = Annotated[float, Field(allow_inf_nan=False)]


class SearchConfig(Config):
    """Settings that are chosen for each method, backbone and data set, by its validation part."""

    keys: dict[str, tuple[Number, Number] | tuple[Number, Number, Literal["log"]]] = Field(
        min_length=1
    )
    """Field -> the least and the largest value, and `log` where they are drawn by ratio:
    `train.lr: [1e-4, 1e-2, log]`. A field that a method lacks is left out for it; its number of
    trials stays."""
    trials: PositiveInt
    """Trainings for each method x backbone x data set; the same number for all of them."""
    sampler: Literal["random", "tpe", "cmaes", "qmc"] = "random"
    """How values are drawn: `random`, the same for all methods; by what earlier trials of the same
    search came to, `tpe` (after six random ones) or `cmaes` (for two keys
    and more); `qmc` fills the ranges evenly. All but `random` need `onlay-train[search]`."""
    batch: PositiveInt = 1
    """Trials of one search that a sampler other than `random` draws at a time, and that can be
    trained side by side; the next ones know what came of them."""
    seed: NonNegativeInt = 99
    """Of what is drawn, and `train.seed` of the trials; none of the grid's own seeds."""
    at: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Axis -> the values at which one searches: `data.train_size: [50, 500]`. The other values of
    the axis take what was chosen at the nearest one. Other axes are searched at every value, and
    seeds at their first one."""

    settings: dict[str, Any] = Field(default_factory=dict)
    """Field -> its value in trials alone: `data.train: train800`, where all 1,000 images are
    trained on with what was chosen, and have no validation part."""

    @field_validator("keys")
    @classmethod
    def _ordered(cls, keys: dict[str, Any]) -> dict[str, Any]:
        for key, (low, high, *log) in keys.items():
            if not low < high:
                raise PydanticCustomError(
                    "range",
                    "`{key}`: the least value {low} is not below the largest {high}",
                    {"key": key, "low": f"{low:g}", "high": f"{high:g}"},
                )
            if log and low <= 0:
                raise PydanticCustomError(
                    "range", "`{key}`: `log` needs values above 0", {"key": key}
                )
        return keys


class NoteConfig(Config):
    """A sentence that a report says."""

    say: str
    """The sentence."""
    when: dict[str, Any] = Field(default_factory=dict)
    """Field -> its value: said where a cell that is done has all of these,
    `data.preprocess.normalize: half`; nothing: always."""

    @model_validator(mode="before")
    @classmethod
    def _a_sentence_alone(cls, value: Any) -> Any:
        return {"say": value} if isinstance(value, str) else value


class ReportConfig(Config):
    """How a comparison is told."""

    reference: str | None = None
    """The method, by its label, that all others are compared with; null: `full` if it is one of
    them, else `linear`, else the first."""
    margin: float | None = Field(default=None, ge=0)
    """Differences up to this are ties, in points of a share or in the metric's own unit; null: half
    a point of a share, and 0 of other units."""
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Group -> its data sets, by their labels: beside the mean over data sets there is then the
    mean over the groups' means. Data sets that are listed here and have no result are named."""
    notes: tuple[NoteConfig, ...] = ()
    """Sentences to say below the others; with `{say: ..., when: {field: value}}` only where a cell
    has these values."""


class PresetConfig(Config):
    """A preset that is a method's recipe, if it has one of that name."""

    name: str
    """Its name; `{data}` stands for the label of the axis `data`: `fgvc-{data}`."""
    when: dict[str, str] = Field(default_factory=dict)
    """Field -> the value, or a pattern, that a cell has for which it is meant:
    `{backbone.model: "*swin*"}`; nothing: every cell."""

    @model_validator(mode="before")
    @classmethod
    def _a_name_alone(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


class RecipesConfig(Config):
    """How methods are trained that have recipes of their own for a benchmark."""

    presets: tuple[PresetConfig, ...] = Field(min_length=1)
    """Presets, or their names, the first of which a method has is its recipe: `[fgvc-{data},
    fgvc]`, `[{name: swin, when: {backbone.model: "*swin*"}}, vit]`."""
    methods: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Method -> what it takes instead, the content of a run file: `{full: {train: {lr: 1e-4}}}`."""
    others: dict[str, Any] = Field(default_factory=dict)
    """What methods take that have none of the presets; those of `methods` take both. `base` and
    axes go before all of it, and before presets."""


class GridConfig(Config):
    """A comparison: every combination of the axes is a cell, and a cell is a run."""

    grid: dict[str, tuple[Any, ...] | dict[str, dict[str, Any]]] = Field(min_length=1)
    """Axis -> its values. An axis is a block (`method: [arc, {name: smoa, experts: [4, 16]}]`,
    where a list in the place of one value stands for as many entries), a field (`train.seed: [0, 1,
    2]`), or any name over labelled pieces of run files (`recipe: {short: {train: {epochs: 10}}}`).
    """
    base: dict[str, Any] = Field(default_factory=dict)
    """What all cells share: the content of a run file. Axes win over it."""
    controls: tuple[Control, ...] = ()
    """Rows beside those of the axis `method`, by which a table is read: `linear`, the frozen probe;
    `full`, full fine-tuning; `scratch`, a small network of the modality without pretraining, which
    is trained whole; `lora`, low-rank updates of as many parameters as the first method of the grid
    has; `adaptformer`, dense adapters; `trivial`, the answer that is the same for every input and
    needs no training, such as the most frequent class. Search, seeds and data are theirs, too."""
    recipes: RecipesConfig | None = None
    """Each method by its own preset; null: all by what `base` says."""
    search: SearchConfig | None = None
    """What is chosen on a validation part before the seeds are trained; null: nothing."""
    skip: tuple[dict[str, Any], ...] = ()
    """Combinations to leave out: axis -> value, its label, a pattern (`"*vit*"`), or a list of any
    of these; a cell is left out if it matches all of an entry."""
    report: ReportConfig = ReportConfig()
    """What the report compares with, and what is a tie."""
    where: Annotated[Config, OneOf("executor")] = LocalConfig()
    """Where cells are trained: `{name: local, jobs: 2}`, or what a plugin registers."""
    protocol: str | None = None
    """The protocol that it was made of; `onlay compare` writes it."""


def read_grid(path: Path, host: PluginHost) -> GridConfig:
    """The grid that a file describes.

    Raises:
        ConfigError: it cannot be read, or a value cannot be used; names the place.
    """
    return parsed(read(path), host)


def parsed(data: Mapping[str, Any], host: PluginHost) -> GridConfig:
    """The same of what a file holds."""
    try:
        grid = GridConfig.model_validate(dict(data), context={"host": host})
    except ValidationError as error:
        raise as_one_sentence(error) from error
    if empty := [axis for axis, values in grid.grid.items() if not values]:
        raise ConfigError(f"grid.{empty[0]}: has no values")
    return grid
