"""A rewrite shows what it names, which its output, the site's own tensor, is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import onlay
from onlay.anatomy import Placement
from onlay.errors import AnatomyError, PluginError
from onlay.features import Grid
from onlay.host import PluginHost
from onlay.inspecting import Observation
from onlay.pages.observing import observe
from onlay.testing import tiny_backbone

IMAGE = torch.ones(1, 3, 8, 12)


class Quiet(nn.Module):
    """Scales each token by its place among the tokens, from 0."""

    shown = "scale"

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self._scale(x)

    def _scale(self, x: Tensor) -> Tensor:
        return self.gain * torch.arange(x.shape[1])[None, :, None]


class Telling(Quiet):
    pictured = "squares"

    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        assert torch.equal(output, x * self._scale(x))
        return self._scale(x)

    def pictures(self, x: Tensor, output: Tensor) -> Tensor:
        return (self._scale(x) ** 2).view(1, 1, 1, -1)


class Prompts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(3, 16))

    def forward(self) -> Tensor:
        return self.rows


def seen(kind: type[nn.Module]) -> Observation:
    """Of an adapter that rewrites one site and whose three prompts leave after the first block."""
    host = PluginHost.discover()
    model = onlay.adapt(tiny_backbone(), "linear", labels=["a", "b"], host=host)
    place = Placement(model.anatomy)
    place.insert(place.site("tokens.in"), Prompts(), count=3, until=place.blocks[0])
    place.rewrite(place.blocks[0].site("mlp.in"), kind())
    model.detach()
    model.attachments.add("default", place.adapter)
    model.adapter = place.adapter
    return observe(model, Path("x"), IMAGE)


def test_a_rewrite_shows_what_its_method_says() -> None:
    shown = seen(Telling)
    scale, *changes = shown.signals
    assert (scale.name, scale.block, scale.site) == ("scale", 0, "mlp.in")
    assert scale.values_TK.flatten().tolist() == list(range(10))  # cls, 3 prompts, 6 patches
    assert scale.patches_NK.flatten().tolist() == list(range(4, 10))
    (picture,) = shown.pictures
    assert picture.values_nhw.flatten().tolist() == [n**2 for n in range(10)]
    assert [s.layout for s in (scale, *changes)] == [Grid(2, 3, 4), Grid(2, 3, 4), Grid(2, 3, 1)]


def test_a_rewrite_that_does_not_say_is_refused() -> None:
    with pytest.raises(AnatomyError, match=r"`Quiet` is a rewrite: give it a method `shows\(x, "):
        seen(Quiet)


class Flat(Quiet):
    def shows(self, x: Tensor, output: Tensor) -> Tensor:
        return torch.zeros(3)


class Number(Quiet):
    def shows(self, x: Tensor, output: Tensor) -> float:
        return 1.0


class Failing(Quiet):
    def shows(self, x: Tensor) -> Tensor:
        return x


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        (Flat, r"`scale` of block 0 has the shape \(3,\); `Flat`, which is `shown`, must give"),
        (Number, "`Number.shows` gives a `float` and not a `Tensor`"),
        (Failing, "`Failing.shows` failed: TypeError: "),
    ],
)
def test_what_cannot_be_shown_is_a_sentence_that_names_the_class(
    kind: type[nn.Module], sentence: str
) -> None:
    with pytest.raises((AnatomyError, PluginError), match=sentence):
        seen(kind)
