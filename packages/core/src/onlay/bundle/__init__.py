"""A trained adapter as a folder on disk, readable without Onlay.

`adapter_config.json`, `adapter_model.safetensors`, `README.md`: the names that hub tools know.
Never a pickle.
"""

from onlay.bundle.reading import load, read_manifest, seal
from onlay.bundle.writing import save

__all__ = ["load", "read_manifest", "save", "seal"]
