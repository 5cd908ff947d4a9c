"""Pages of photographs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from inspected_pages import FILE
from PIL import Image

import onlay
from onlay import PluginHost
from onlay.cli import main
from onlay.inspecting import Picture
from onlay.pages.observing import observe
from onlay_image.viewer import view


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[PluginHost]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield PluginHost.discover(files=[FILE])
    sys.modules.pop("choosy_image", None)


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    """Wider than high, no two pixels alike in all channels."""
    y, x = np.mgrid[:60, :80]
    Image.fromarray(np.stack([3 * x, 4 * y, x + y], -1).astype(np.uint8)).save(tmp_path / "a&b.png")
    return tmp_path / "a&b.png"


@pytest.fixture
def page(host: PluginHost, photograph: Path, tmp_path: Path) -> Path:
    """What the command writes: 6 blocks, 8 by 8 patches."""
    model = onlay.adapt("onlay_vit_64", "choosy", labels=["cat", "dog"], host=host)
    model.save_pretrained(tmp_path / "bundle")
    sys.modules.pop("choosy_image", None)
    out = tmp_path / "a.html"
    words = ["--plugin", FILE, "inspect", tmp_path / "bundle", photograph, "--out", out]
    result = CliRunner().invoke(main, [str(word) for word in words], prog_name="onlay")
    assert result.exit_code == 0, result.output
    # Of 64 patches x 3 parts: u is each of 0 to 3 equally often, and so is u + 1.
    assert "  expert, block 5: 0 (25 %), 1 (25 %), 2 (25 %), 3 (25 %)\n" in result.stdout
    return out


@pytest.fixture
def two(host: PluginHost, tmp_path: Path) -> Path:
    """Two inputs whose kernels, 16 of 3 x 3, are all 1 and all -1 in block 0, 1 and 0.5 after."""
    model = onlay.adapt("onlay_vit_64", "choosy", labels=["cat", "dog"], host=host)
    seen = [
        replace(
            observe(model, Path(name), torch.full((1, 3, 64, 64), shade)),
            pictures=tuple(
                Picture("kernels", block, torch.full((16, 3, 3), value))
                for block, value in enumerate(values)
            ),
        )
        for name, shade, values in (
            ("a.png", 0.5, [1.0, 1.0, 1.0]),
            ("b.png", -0.5, [-1.0, 0.5, 0.5]),
        )
    ]
    view(seen, tmp_path / "two.html")
    return tmp_path / "two.html"
