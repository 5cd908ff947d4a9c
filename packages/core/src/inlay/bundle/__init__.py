"""A trained adapter as a folder on disk, readable without Inlay.

`adapter_config.json`, `adapter_model.safetensors`, `README.md`: the names that hub tools know.
Never a pickle.
"""

from inlay.bundle.reading import load, read_manifest
from inlay.bundle.writing import save

__all__ = ["load", "read_manifest", "save"]
