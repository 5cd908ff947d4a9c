"""What may stand under `data:` in a run file; imports no torch."""

from pathlib import Path
from typing import Literal

from onlay.config.data import SplitConfig


class MyDatasetConfig(SplitConfig):
    """A folder of arrays, and `labels.csv` beside them."""

    name: Literal["my_dataset"] = "my_dataset"
    """This layout."""

    path: Path
    """The folder. `labels.csv` in it has the columns `file` and `label`; every file is a
    `.npy` of bytes (H, W, 3)."""
