"""Bundles that somebody changed."""

from __future__ import annotations

import json

from onlay.bundle.seal import sha256_of


def change(bundle, **fields):
    """As somebody who means it."""
    path = bundle / "adapter_config.json"
    path.write_text(resealed({**json.loads(path.read_text()), **fields}))


def resealed(data):
    return json.dumps(data | {"sha256": sha256_of(data)})
