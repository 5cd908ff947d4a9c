"""Maps of classes as pictures that other programs read.

Shapes: H and W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from onlay.pages import COLOURS
from onlay.tasks.class_maps import VOID

VOID_BYTE, VOID_WORD = 255, 65535
"""What void is in a picture of 8 and of 16 bits."""
GREY = "#b8b8b8"
"""Of what has no class."""


def colour_of(index: int) -> str:
    """Of a class, as `#rrggbb`; they repeat after as many as pages have."""
    return COLOURS[index % len(COLOURS)]


def write_classes(path: Path, classes_HW: Tensor, labels: Sequence[str]) -> Path:
    """A png whose pixels are class numbers, 255 for void, in a palette of the pages' colours; of
    more than 255 classes grey of 16 bits, 65535 for void. Its text `classes` names them, a line
    each."""
    values_HW = classes_HW.cpu().numpy()
    wide = len(labels) > VOID_BYTE
    values_HW = np.where(values_HW == VOID, VOID_WORD if wide else VOID_BYTE, values_HW)
    picture = Image.fromarray(values_HW.astype(np.uint16 if wide else np.uint8))
    if not wide:
        picture.putpalette(palette(len(labels)))
    text = PngInfo()
    text.add_itxt("classes", "\n".join(f"{n} {label}" for n, label in enumerate(labels)))
    picture.save(path, pnginfo=text, optimize=True)
    return path


def palette(classes: int) -> list[int]:
    """256 colours, red, green and blue in turn; what is no class is grey."""
    colours = [colour_of(n) for n in range(classes)] + [GREY] * 256
    return [part for colour in colours[:256] for part in ImageColor.getrgb(colour)[:3]]
