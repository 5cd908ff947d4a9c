"""Settings of iConFormer.

The authors published no code, and the paper's body was not at hand: what is certain is its abstract
(arXiv:2409.02838). What it leaves open is a reading, and each field says so with its reason.
"""

from __future__ import annotations

from typing import Literal

from pydantic import PositiveFloat, PositiveInt, field_validator

from onlay.settings import Config


class IconformerConfig(Config):
    """iConFormer: bottleneck adapters with a depthwise convolution in their middle, whose kernels a
    small network generates from the input."""

    name: Literal["iconformer"] = "iconformer"

    rank: PositiveInt = 64
    """Width d of the bottleneck. A reading: with 64, one adapter in each block and 3 x 3 kernels
    the counts on Swin-L and Swin-B are the published 1.6 and 2.8 %; no other usual setting meets
    both."""

    kernel_size: PositiveInt = 3
    """Side K of the kernels on a map, odd; to each side a kernel reaches no further than the
    largest map has places. A reading: 5 or 7 miss the published shares."""

    generator: Literal["linear", "conv_pool", "se", "static"] = "linear"
    """The input-conditioned network, from the bottleneck's feature to d kernels. `linear`: the mean
    over the map, then one linear layer; a reading: the abstract says instance-level, and the same
    group's next code (TADFormer, CVPR 2025) does so. `conv_pool`: a 3 x 3 convolution, pooled to
    K x K, which has nearly as many parameters; for maps only. `se`: the mean, then two layers of
    which the first is a quarter as wide. `static`: kernels that are parameters and know no input,
    for comparison."""

    kernel_norm: Literal["none", "filter", "bound"] = "bound"
    """`bound` divides kernels whose taps, signs aside, sum to more than 1 by that sum, and leaves
    the others; it has no parameters. `none` leaves all: twice the input makes four times the
    output, and over several blocks a high rate ends in numbers that are none. `filter` centres and
    scales the taps of each kernel and multiplies them with learnt numbers, as in DDF-Net and
    TADFormer. A reading, chosen by what trains best: the abstract does not say."""

    inner_residual: bool = True
    """Add what enters the convolution to what leaves it. A reading: generated kernels are small at
    the start (deviation about 0.08), so that the branch would begin almost silent."""

    activation: Literal["relu", "gelu"] = "relu"
    """Behind the convolution. A reading: AdaptFormer's."""

    scale: PositiveFloat = 0.1
    """What the adapter's output is multiplied with. A reading: AdaptFormer's 0.1."""

    learnable_scale: bool = False
    """Train that factor, one number in each block. A reading: AdaptFormer's is fixed."""

    placement: Literal["parallel_ffn", "after_ffn", "after_attn"] = "parallel_ffn"
    """`parallel_ffn`: reads the residual stream after attention and adds behind the MLP, as
    AdaptFormer; `after_ffn`, `after_attn`: in sequence, on what MLP or attention put out. A
    reading: the published counts allow one adapter for each block and do not tell where."""

    prefix_tokens: Literal["pass", "centre_tap"] = "pass"
    """Class token, registers and inserted tokens lie on no map. `pass`: they skip the convolution,
    a reading; `centre_tap`: each is a map of its own, 1 x 1, as in Convpass, so that the kernel's
    centre acts on it."""

    layout: Literal["auto", "grid", "points"] = "auto"
    """What the convolution runs on: a map of patches, or a cloud's groups and their nearest
    neighbours. `auto` takes what the backbone has; the other two refuse a backbone of the other
    kind."""

    neighbours: PositiveInt = 9
    """On point clouds, how many nearest group centres a kernel covers, the group itself first; tap
    j belongs to the j-th nearest. The paper has no clouds: this is Onlay's own port, and 9
    gives the parameters of a 3 x 3 kernel."""

    @field_validator("kernel_size")
    @classmethod
    def _odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"must be odd, so that a kernel has a centre (got {size})")
        return size


def refusal(config: IconformerConfig, provides: frozenset[str]) -> str:
    """The convolution needs a map or groups, as `layout` and the generator demand."""
    kinds = [kind for kind in ("grid", "points") if kind in provides]
    if not kinds:
        return "its tokens lie on no map and in no groups of points, which the convolution needs"
    if config.layout not in ("auto", *kinds):
        lie = "on a `grid`" if kinds == ["grid"] else "in `points`"
        return f"`method.layout` is `{config.layout}`, and its tokens lie {lie}; leave it at `auto`"
    if config.generator == "conv_pool" and config.layout != "grid" and "points" in kinds:
        return (
            "`method.generator` `conv_pool` convolves a map, and groups of points lie on none; take"
            " `linear` or `se`"
        )
    return ""
