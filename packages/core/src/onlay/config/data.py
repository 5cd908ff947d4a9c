"""Settings that data sets of every modality have."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, field_validator

from onlay.settings import Config

Share = Annotated[float, Field(ge=0, lt=1)] | NonNegativeInt
"""A share of the items, or a number of items; 0 for none."""


class DataConfig(Config):
    """What all data sets have; a modality adds its block `preprocess`."""

    name: str
    """The layout."""

    @field_validator("preprocess", mode="before", check_fields=False)
    @classmethod
    def _over_the_layouts_own(cls, value: Any) -> Any:
        """What is given goes before this layout's defaults, not before the general ones."""
        if not isinstance(value, Mapping):
            return value
        return cls.model_fields["preprocess"].default.model_dump() | dict(value)


class ListedConfig(DataConfig):
    """What data sets have that are made from a list of labelled things."""

    duplicates: Literal["warn", "drop", "refuse"] = "warn"
    """What becomes of the same file (by path or by content) in two parts, or with two labels:
    `warn` says how many and names two; `drop` leaves it out of training, or of validation where
    the test has it, and out of everything where its labels differ; `refuse` trains nothing."""

    train_per_class: PositiveInt | None = None
    """So many items of each class to train on, drawn by `split_seed`, the fewer among the more;
    other parts stay as they are. null: all that there are."""

    train_repeats: PositiveInt = 1
    """How often each of them comes in an epoch, each time changed by chance anew: a few items are
    then evaluated, and kept, after as many steps as many are."""

    def of_training(self) -> dict[str, int]:
        """Which of them come, and how often, where that was chosen: a fact of the splits that heard
        of it."""
        own = {"train_per_class": self.train_per_class, "train_repeats": self.train_repeats}
        return {
            name: value
            for name, value in own.items()
            if value is not None and value != type(self).model_fields[name].default
        }


class ValidationConfig(DataConfig):
    """What data sets have that may have no part to validate on."""

    val_size: Share = 0.1
    """Share, or number, of the training items to validate on, where the layout has no such part; 0
    for none."""

    split_seed: int = 0
    """Seed of a stratified split; not that of training, so that runs of several seeds are compared
    on one split."""


class SplitConfig(ValidationConfig):
    """What data sets have that may have no parts at all."""

    test_size: Share = 0.2
    """Share, or number, of the items for the test, where the layout has no parts at all."""

    test_seed: int | None = None
    """Seed by which these are split off; null: `split_seed`. With one of its own the test part is
    the same for every `split_seed`, so that a search before several of them does not see what any
    is tested on."""


PartNames = str | tuple[str, ...]


class FilesConfig(SplitConfig, ListedConfig):
    """What folders and tables of files have."""

    parts: Literal["auto", "none"] | dict[Literal["train", "val", "test"], PartNames] = "auto"
    """Names of the parts, in folders or in the column `split`: `auto` knows the usual ones
    (`train`, `Training`, `valid`, `dev`, `holdout`, `test_set`, ...), `none` takes every folder
    for a class and lets the column be, and a mapping such as `{train: [a, b], test: c}` says which
    name is which part and leaves all others out."""

    labels: tuple[str, ...] | None = None
    """The classes, in order; default: the labels of the training part, sorted. Labels that are
    listed here may differ by their case alone, and may be called `nan`."""

    @field_validator("parts")
    @classmethod
    def _one_part_each(cls, parts: Any) -> Any:
        if isinstance(parts, Mapping):
            names = [
                name for own in parts.values() for name in ([own] if isinstance(own, str) else own)
            ]
            if twice := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"`{twice[0]}` is named for two parts, or twice")
        return parts

    @field_validator("labels")
    @classmethod
    def _one_of_each(cls, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if labels is not None and len(set(labels)) < len(labels):
            raise ValueError("a class is listed twice")
        return labels


class TableConfig(FilesConfig):
    """What tables have that name files and say what is to be learnt of each."""

    path: Path
    """The CSV file."""

    root: Path | None = None
    """What paths in the file are relative to; default: the file's own folder."""

    columns: dict[Literal["path", "label", "split"], str] = Field(default_factory=dict)
    """What the columns are called, `{path: picture, label: species}`, where that is not `path`,
    `label` and `split` or a usual name for them (`file_name`, `image`, `class`, `category`,
    `subset`, ...)."""

    targets: Literal["class", "labels", "numbers"] | None = None
    """What a row tells of its file: one `class`, any number of `labels`, or `numbers`. Default:
    what the task learns from: `classification` a class, `multilabel` labels, `regression`
    numbers."""

    target_columns: Literal["rest"] | tuple[str, ...] | None = None
    """Columns of `labels` or `numbers`, one for each. A column of a label holds 1 or `true`, 0 or
    `false`, and -1 or nothing where that is unknown, and a column of numbers a number in every row;
    `rest` are all columns but those of paths and parts. Default: the one column `label`."""

    separator: str = Field(default="|", min_length=1)
    """What stands between several `labels` in the one column. An empty cell has no label at all."""

    @field_validator("target_columns")
    @classmethod
    def _each_once(cls, columns: Any) -> Any:
        if isinstance(columns, tuple) and (not columns or len(set(columns)) < len(columns)):
            raise ValueError("must name columns, each once")
        return columns
