"""A trained adapter as a folder on disk, readable without Onlay.

`adapter_config.json`, `adapter_model.safetensors`, `README.md`: the names that hub tools know.
Never a pickle.
"""

from onlay.bundle.reading import read_manifest, seal

__all__ = ["read_manifest", "seal"]
