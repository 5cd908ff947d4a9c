"""Settings of ARC.

Sources: the paper (arXiv:2310.06234) and the authors' code (github.com/DavidYanAnDe/ARC).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from onlay.settings import Config

ArcSite = Literal["attn.in", "mlp.in"]


class ArcConfig(Config):
    """Adapter Re-Composing: one low-rank projection for all blocks, rescaled in each."""

    name: Literal["arc"] = "arc"

    rank: PositiveInt = 50
    """Width r of the bottleneck; 50 in the paper and in the authors' code, for every backbone."""

    sites: tuple[ArcSite, ...] = ("attn.in", "mlp.in")
    """Where a block is adapted: both sites are the paper's ARC, `["attn.in"]` alone its ARC_att."""

    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Dropout in the bottleneck; 0.1 in the authors' ViT scripts, 0.5 in their Swin model."""

    mlp_rescale_init: Literal["xavier", "zeros"] = "xavier"
    """How the MLP site's rescaling starts: `xavier` as in the authors' code since commit a8407d7,
    so that an adapted network is not the frozen one at step 0; `zeros` as in their first upload."""

    swin_mlp_site: Literal["residual_stream", "post_norm"] = "residual_stream"
    """Where the MLP of a hierarchical backbone is adapted: before the second norm, on the residual
    stream, as in the authors' Swin code, or after it, as on ViT; only the latter can be merged."""

    @field_validator("sites")
    @classmethod
    def _some_and_each_once(cls, sites: tuple[ArcSite, ...]) -> tuple[ArcSite, ...]:
        if not sites or len(set(sites)) < len(sites):
            raise ValueError("name `attn.in`, `mlp.in` or both, each once")
        return sites


def traits(config: ArcConfig, provides: frozenset[str]) -> frozenset[str]:
    """What ARC promises: the site of Swin's residual stream does not fold, and `xavier` moves the
    MLP's site from the start."""
    on_the_stream = "hierarchical" in provides and config.swin_mlp_site == "residual_stream"
    mlp = "mlp.in" in config.sites
    found = set() if mlp and on_the_stream else {"foldable"}
    return frozenset(found if mlp and config.mlp_rescale_init == "xavier" else found | {"identity"})
