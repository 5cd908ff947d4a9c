"""A few pictures of each class, by NOAH's lists (Zhang et al. 2022), in the folders that its code,
FacT's and DTL's read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.data import Splits
from onlay.errors import DataError
from onlay.reading.layouts import Layout
from onlay.reading.listing import Item, Listing
from onlay_image.data.config import FewShotConfig
from onlay_image.data.few_shot_lists import TEST, lists_of, places
from onlay_image.data.lists import items_of, lines_of
from onlay_image.data.splits import make_splits

HOMES = ("images", "", "images/{part}")


def build(config: FewShotConfig, input_spec: Mapping[str, Any], seed: int) -> Splits:
    """The published parts; without `val_meta.list` there is none to validate on.

    Raises:
        DataError: a missing list, a malformed line, pictures elsewhere; and see `make_splits`.
    """
    parts = layout(config).parts
    return make_splits(Listing(parts["train"], parts["val"], parts["test"]), config, input_spec)


def layout(config: FewShotConfig) -> Layout:
    """The published parts.

    Raises:
        DataError: a missing list, a malformed line, pictures elsewhere.
    """
    home = lists_of(config.path)
    if home is None:
        looked = ", ".join(f"`{place}`" for place in places(config.path))
        raise DataError(f"there are no lists of `{config.path}`: no `{TEST}` in {looked}")
    train = f"train_meta.list.num_shot_{config.shot}.seed_{config.list_seed}"
    names = {"train": train, "val": "val_meta.list", "test": TEST}
    if not (home / names["val"]).is_file():
        del names["val"]
    found = {part: _items(config, home / name, part) for part, name in names.items()}
    return Layout({"val": [], **found})


def _items(config: FewShotConfig, path: Path, part: str) -> list[Item]:
    example = next(iter(lines_of(path)), ("", ""))[0]
    own = "test" if part == "test" else "train"
    homes = HOMES if config.images is None else (config.images,)
    tried = [config.path / home.format(part=own) for home in homes]
    home = next((home for home in tried if (home / example).is_file()), None)
    if home is None:
        looked = ", ".join(f"`{place}`" for place in tried)
        raise DataError(f"`{example}` of `{path}` is not there (looked below: {looked})")
    return items_of(path, home)
