"""Protocols that each break one sentence of the contract, and healthy ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Literal

from onlay import hookimpl
from onlay.config.data import DataConfig
from onlay.descriptors import Dataset, Protocol

NUMBERS = count()


class PetsConfig(DataConfig):
    """Pets."""

    name: Literal["pets"] = "pets"
    path: Path | None = None
    """Where they are."""


def grid(root: Path) -> dict[str, Any]:
    data = {"cats": {"data": {"name": "pets", "path": root / "cats"}}, "fish": {"data": {}}}
    return {"grid": {"data": data}, "base": {"data": {"name": "pets"}}}


def said(root: Path) -> Mapping[str, str]:
    return {"cats": f"no `{root / 'cats'}` with cats"}


def nothing(root: Path) -> dict[str, Any]:
    return {"grid": {"method": ["linear"]}}


def unknown(root: Path) -> dict[str, Any]:
    return {"grid": {"data": {"dogs": {"data": {"name": "dogs"}}}}}


def silent(root: Path) -> Mapping[str, str]:
    return {}


def writing(root: Path) -> dict[str, Any]:
    (root / "cats").touch()
    return grid(root)


def counting(root: Path) -> dict[str, Any]:
    return {**grid(root), "report": {"notes": [str(next(NUMBERS))]}}


def odd(root: Path) -> dict[str, Any]:
    return {**grid(root), "report": {"notes": {"a set"}}}


NAMED, EMPTY, PLAIN = (
    "names_data_sets_that_can_be_read",
    "an_empty_folder_has_none_of_them",
    "gives_the_same_plain_content",
)
KINDS: Mapping[str, tuple[str, str | None, str, str]] = {
    "healthy": ("grid", "said", "image", ""),
    "short": ("grid", None, "image", ""),
    "nothing": ("nothing", None, "image", NAMED),
    "unknown": ("unknown", None, "image", NAMED),
    "heard": ("grid", None, "audio", NAMED),
    "silent": ("grid", "silent", "image", EMPTY),
    "writing": ("writing", "said", "image", EMPTY),
    "counting": ("counting", None, "image", PLAIN),
    "odd": ("odd", None, "image", PLAIN),
}
"""Name -> grid, missing, modality, and the check that fails."""


@hookimpl
def register_datasets() -> Iterable[Dataset]:
    yield Dataset(name="pets", config=PetsConfig, build="", modality="image", summary="pets")


@hookimpl
def register_protocols() -> Iterable[Protocol]:
    for name, (own, missing, modality, _) in KINDS.items():
        said = None if missing is None else f"{__name__}:{missing}"
        yield Protocol(
            name=name, modality=modality, summary="", grid=f"{__name__}:{own}", missing=said
        )
