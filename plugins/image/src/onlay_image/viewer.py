"""Images as one self-contained HTML page: what the adapter shows of each patch, block by block.

Shapes: C channels, H and W pixels.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms import functional

from onlay.inspecting import Observation
from onlay.pages import write

THUMBNAIL = 224
"""Pixels of a small picture's longer side."""


def view(observations: Sequence[Observation], out: Path) -> None:
    """Write the page: the crops that the network saw, tinted by each signal of each block."""
    script = files("onlay_image").joinpath("viewer.js").read_text("utf-8")
    write(
        observations, out, data=[{"picture": _picture(o)} for o in observations], scripts=[script]
    )


def _picture(observation: Observation) -> str:
    return _address(pixels(observation.inputs[0].float().cpu(), observation.preprocessing))


def thumbnail(inputs: Tensor, preprocessing: Mapping[str, Any]) -> str:
    """A picture (C, H, W) as the backbone gets it, at most 224 pixels wide and high."""
    facts = {"mean": [0.0], "std": [1.0], **preprocessing}
    shown_3HW = pixels(inputs.float().cpu(), facts)
    if max(shown_3HW.shape[1:]) > THUMBNAIL:
        shown_3HW = functional.resize(
            shown_3HW, [THUMBNAIL - 1], max_size=THUMBNAIL, antialias=True
        )
    return _address(shown_3HW)


def pixels(normalized_CHW: Tensor, preprocessing: Mapping[str, Any]) -> Tensor:
    """Undo the normalisation: bytes (3, H, W), of other channels than three the first ones."""
    mean, std = (torch.tensor(preprocessing[key]).view(-1, 1, 1) for key in ("mean", "std"))
    shown_CHW = ((normalized_CHW * std + mean) * 255).round().clamp(0, 255).byte()
    return shown_CHW[:3] if len(shown_CHW) > 2 else shown_CHW[:1].expand(3, -1, -1)


def _address(pixels_3HW: Tensor) -> str:
    png = BytesIO()
    functional.to_pil_image(pixels_3HW).save(png, "png", optimize=True)
    return f"data:image/png;base64,{b64encode(png.getvalue()).decode()}"
