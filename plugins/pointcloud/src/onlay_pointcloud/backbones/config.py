"""Settings of the point-cloud backbones."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from onlay.settings import Config


class PointBackbone(Config):
    """What all of them have."""

    name: str
    """The network."""

    npoints: PositiveInt = 1024
    """Points of a cloud that the network is shown; 1,024 in pretraining, on ModelNet40 and in its
    few-shot episodes, 2,048 on ScanObjectNN and ShapeNetPart."""

    groups: PositiveInt = 64
    """Groups, that is tokens; 64 for 1,024 points, 128 for 2,048, 512 for 8,192."""

    group_size: PositiveInt = 32
    """Points of a group."""

    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Stochastic depth while training, rising over the blocks from 0 to this."""

    position: Literal["every_block", "once"] = "every_block"
    """Where position embeddings are added: before every block, as in pretraining, or before the
    first alone. A method may say otherwise (DAPT: `once`)."""

    freeze_bn: bool = True
    """Keep the statistics of the group encoder's batch norms while an adapter trains. `false` lets
    them drift in copies that the bundle holds, as all the authors' fine-tuning does without saying
    so. A method may say otherwise (DAPT: `false`)."""

    skip_near_origin: bool = False
    """Never choose a point within about 0.03 of the origin as a centre, as the CUDA kernel did with
    which the published weights were trained."""

    @model_validator(mode="after")
    def _enough_points(self) -> PointBackbone:
        for field in ("groups", "group_size"):
            if getattr(self, field) > self.npoints:
                raise ValueError(
                    f"`{field}` {getattr(self, field)} is more than `npoints` {self.npoints}"
                )
        return self


class PublishedBackbone(PointBackbone):
    """A network whose weights its authors published: 384 wide, 12 blocks, 6 heads."""

    weights: Path | None = None
    """The authors' checkpoint (torch, read with `weights_only`, or safetensors): of pretraining or
    fine-tuned."""

    pretrained: bool = True
    """`false` does without `weights` and leaves the initialisation, the same every time."""

    skip_near_origin: bool = True
    """Never choose a point within about 0.03 of the origin as a centre, as the CUDA kernel did with
    which the published weights were trained."""

    @model_validator(mode="after")
    def _some_weights(self) -> PublishedBackbone:
        if self.pretrained and self.weights is None:
            raise ValueError(
                "give `weights`, the checkpoint file of its authors, or `pretrained: false` for"
                " random weights"
            )
        return self


class PointMaeConfig(PublishedBackbone):
    """Point-MAE (Pang et al. 2022): masked autoencoding of groups of points."""

    name: Literal["point_mae"] = "point_mae"

    class_token: bool = True
    """`false` for the authors' part segmentation, which has none."""


class ActConfig(PublishedBackbone):
    """ACT (Dong et al. 2023): Point-MAE's layout, distilled from 2D and language teachers."""

    name: Literal["act"] = "act"


class PointBertConfig(PublishedBackbone):
    """Point-BERT (Yu et al. 2022): groups are encoded 256 wide and widened to 384."""

    name: Literal["point_bert"] = "point_bert"

    momentum: bool = False
    """Take the momentum copy of a pretraining file (`transformer_k`), as DAPT's authors do, not
    the trained network (`transformer_q`)."""


class ReConConfig(PublishedBackbone):
    """ReCon (Qi et al. 2023) as its authors fine-tune it: global tokens in a branch of their
    own."""

    name: Literal["recon"] = "recon"


class ReConAsMaeConfig(PublishedBackbone):
    """ReCon's patch branch run through Point-MAE's forward pass: what papers on adapters call
    ReCon, and another function than `recon`."""

    name: Literal["recon_as_mae"] = "recon_as_mae"


class BundledConfig(PointBackbone):
    """The small network inside `onlay-pointcloud`, self-supervised on generated shapes."""

    name: Literal["onlay_points"] = "onlay_points"

    groups: PositiveInt = 32
    """Groups, that is tokens; 32 in its pretraining."""

    weights: Path | None = None
    """Other weights of the same network (safetensors), such as a pretraining of your own leaves;
    null: those in the wheel."""


class SmallPointNetConfig(Config):
    """A PointNet of 141,000 parameters, not pretrained: what a comparison trains from scratch, with
    `method: {name: full, start: random}`, to see whether a pretrained backbone pays."""

    name: Literal["small_pointnet"] = "small_pointnet"

    npoints: PositiveInt = 1024
    """Points of a cloud that the network is shown."""
