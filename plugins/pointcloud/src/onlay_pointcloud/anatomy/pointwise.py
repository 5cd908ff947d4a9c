"""The anatomy of a PointNet: every point is a token, and no token sees another one.

Shapes: B batch, N points, D width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from onlay.anatomy import Anatomy, Block, GivenTo, InputOf, OutputOf, Site, Stage, Undo
from onlay.anatomy.examples import normal_like
from onlay.anatomy.levels import recorded
from onlay.features import Features, Points
from onlay_pointcloud.anatomy.inputs import as_clouds
from onlay_pointcloud.backbones.traits import POINTWISE
from onlay_pointcloud.network.small_pointnet import SmallPointNet

_TOKENS = ("sequence", "class_token", "insertion", "extension", "grid", "hierarchical")
_GIVEN = "no weight writes the points that the network is given"
_BARE = "no adapter was meant to stand here: the network is trained whole"


def dissect_pointwise(model: SmallPointNet, npoints: int) -> PointwiseAnatomy:
    """Of a network that is shown clouds of `npoints` points."""
    given = Site("input", "input", 3, GivenTo(model.points), unfoldable=_GIVEN)
    return PointwiseAnatomy(
        model,
        stages=[_stage(block, index) for index, block in enumerate(model.blocks)],
        sites={"input": given},
        provides=POINTWISE,
        unfit=dict.fromkeys(_TOKENS, "it is a plain PointNet, to be trained whole"),
        npoints=npoints,
    )


def _stage(module: Any, index: int) -> Stage:
    sites = [
        Site(name, f"blocks.{index}.{name}", module.width, port, unfoldable=_BARE)
        for name, port in (("block.in", InputOf(module)), ("block.out", OutputOf(module)))
    ]
    block = Block(index, module.width, {site.name: site for site in sites}, module)
    return Stage(index, module.width, [block])


@dataclass(eq=False)
class PointwiseAnatomy(Anatomy):
    """Groups are the points themselves."""

    model: Any
    npoints: int = 1024
    centres: Tensor | None = None
    """(B, N, 3) of the current (or last) input."""

    def prepared(self, inputs: Tensor) -> Tensor:
        """Coordinates stay as they are.

        Raises:
            DataError: no batch of clouds.
        """
        return as_clouds(inputs)

    def encode(self, inputs: Tensor, *, inserted: int = 0, levels: Sequence[int] = ()) -> Features:
        assert not inserted, "no token sees another one, nor one that is inserted"
        self._see(self.model, (inputs,))
        with recorded(self.blocks, levels) as outputs:
            x_BND = self.model(inputs)
        return Features(
            cls=None,
            prompts=x_BND[:, :0],
            patches=x_BND,
            layout=self.layout(len(self.stages)),
            pooled=x_BND.amax(1),
            levels=[outputs[level].transpose(1, 2) for level in levels],
            inputs=inputs,
        )

    def follow(self) -> list[Undo]:
        return [self.model.register_forward_pre_hook(self._see)]

    def _see(self, model: nn.Module, args: tuple[Tensor, ...]) -> None:
        self.centres = args[0][..., :3].detach()

    def layout(self, block: int, *, inserted: int = 0) -> Points:
        assert self.centres is not None, "nothing was encoded yet"
        return Points(self.centres)

    def example(self, batch: int = 1) -> Tensor:
        weight = next(self.model.parameters())
        return normal_like(weight, batch, self.npoints, 3).float()

    def make_room(self, block: int, count: int) -> list[Undo]:
        raise AssertionError("no token can be inserted")

    def trunk(self) -> dict[str, Tensor]:
        return self.model.state_dict()
