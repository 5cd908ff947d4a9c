"""A scene to predict: all of it, in the blocks in which it is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.model.pieces import InPieces
from onlay_pointcloud.data.preprocess import Loader
from onlay_pointcloud.data.scenes.cutting import CutScene, Cutting
from onlay_pointcloud.data.scenes.items import SceneLoader


class SceneReader:
    """From a file to a scene in pieces; a class, so that it can be sent to another process."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        loader = Loader(facts)
        loader.left_out.held = True
        self.load = SceneLoader(load=loader, place=facts["scenes"].get("place", False))
        self.cutting = Cutting.of(facts)

    def __call__(self, path: Path) -> InPieces:
        """Raises a `DataError` that names a file which cannot be used."""
        scene = self.load(path)
        cut = CutScene(scene.numpy(), self.cutting)
        return InPieces(scene, list(cut.pieces()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of all files that were read."""
        return self.load.load.left_out.notes()
