"""Recordings as one sees them: a small picture for reports, and the page of `onlay inspect`.

Shapes: C channels, T samples.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from onlay import pages
from onlay.inspecting import Observation

SCRIPT = """
function curves(canvas, block, input) {
  const [width, height] = [640, 160], count = block ? block.values.length : 0;
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  for (let n = 0; n < count; n++) {
    const found = shown(block, n);  // the value of token n, unless another one was chosen
    if (!found) continue;
    pen.fillStyle = colour(found[0], block);
    pen.fillRect(n * width / count, 0, width / count, height);
  }
  for (const points of input.curves) {
    pen.beginPath();
    points.forEach((y, t) => pen.lineTo(t * width / (points.length - 1), (1 - y) * height));
    Object.assign(pen, { strokeStyle: "#fff", lineWidth: 4 }).stroke();
    Object.assign(pen, { strokeStyle: "#000", lineWidth: 1 }).stroke();
  }
  canvas.style.width = "100%";
  return canvas;
}
start({
  small: curves,
  large: (element, block, input) => element.replaceChildren(curves(make("canvas"), block, input)),
  bare: (input) => curves(make("canvas"), null, input),
});
"""


def view(observations: Sequence[Observation], out: Path) -> None:
    """The page: each recording, and behind it the colour of what is shown of each token."""
    data = [{"curves": heights(seen.inputs[0]).tolist()} for seen in observations]
    pages.write(observations, out, data=data, scripts=[SCRIPT])


def thumbnail(inputs: Tensor, preprocessing: Mapping[str, Any]) -> str:
    """A recording (C, T) as the backbone gets it, as a PNG of 200 by 50 pixels."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (200, 50), "white")
    pen = ImageDraw.Draw(picture)
    for curve in heights(inputs).tolist():
        step = 199 / max(1, len(curve) - 1)
        pen.line([(step * t, 49 - 49 * y) for t, y in enumerate(curve)], fill="black")
    file = BytesIO()
    picture.save(file, "png")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


def heights(samples_CT: Tensor) -> Tensor:
    """Samples (C, T) between 0 and 1, in one scale for all channels."""
    samples_CT = samples_CT.float().cpu()
    low, high = samples_CT.min(), samples_CT.max()
    return torch.nan_to_num((samples_CT - low) / (high - low))
