"""Sites of one Swin block.

V1 computes x + drop_path1(_attn(norm1(x))), then x + drop_path2(mlp(norm2(x))); V2 puts the norms
behind attention and MLP, x + drop_path1(norm1(_attn(x))), so that attention and MLP read the
residual stream itself. `_attn` rolls the map, pads it to whole windows, and lets attention read the
windows.
"""

from __future__ import annotations

from collections.abc import Iterator

from onlay.anatomy import Block, FoldTarget, InputOf, ModuleTarget, OutputOf, ResidualInto, Site
from onlay.anatomy.ports import Port
from onlay_image.anatomy.building import assemble, fc2_in, first_map, norm_target
from onlay_image.anatomy.qkv import dissect_qkv
from onlay_image.anatomy.windows import AttentionInput, OnMap
from onlay_image.timm_types import TimmModule


def swin_block(module: TimmModule, index: int) -> Block:
    """A block of `SwinTransformer`."""
    at, width = f"blocks.{index}.", module.dim
    norm2, fc1 = norm_target(module.norm2), first_map(module.mlp)
    ins, outs = OutputOf(module.norm1), InputOf(module.drop_path1)
    residual = ResidualInto(module.norm2, module.drop_path2)
    sites = [
        *_attention(module, at, width, ins, outs, norm_target(module.norm1)),
        Site("mlp.res", at + "mlp.res", width, residual),
        Site("mlp.in", at + "mlp.in", width, InputOf(module.mlp), norm2, [fc1.target]),
        *_rest(module, at, width),
    ]
    return assemble(module, index, width, sites)


def swin_v2_block(module: TimmModule, index: int) -> Block:
    """A block of `SwinTransformerV2`."""
    at, width, fc1 = f"blocks.{index}.", module.dim, first_map(module.mlp)
    ins, outs = AttentionInput(module), InputOf(module.norm1)
    residual = ResidualInto(module.mlp, module.drop_path2)
    sites = [
        *_attention(module, at, width, ins, outs, None),
        Site("mlp.res", at + "mlp.res", width, residual),
        # The input of fc1, not of mlp: a hook there would race with that of the residual stream.
        Site("mlp.in", at + "mlp.in", width, InputOf(module.mlp.fc1), readers=[fc1.target]),
        *_rest(module, at, width),
    ]
    return assemble(module, index, width, sites, norm_behind=True)


def _attention(
    module: TimmModule,
    at: str,
    width: int,
    ins: Port,
    outs: Port,
    norm: FoldTarget | None,
) -> Iterator[Site]:
    qkv = dissect_qkv(module.attn, keys_cancel=False)
    padding = _padding(module)
    yield Site("attn.in", at + "attn.in", width, ins, norm, [qkv.target], unfoldable=padding)
    port, writer = OnMap(module, qkv.port), None if padding else qkv.target
    yield Site(
        "qkv.out",
        at + "qkv.out",
        qkv.width,
        port,
        writer,
        unfoldable=padding,
        map=qkv.target,
        parts=qkv.parts,
    )
    yield Site("attn.out", at + "attn.out", width, outs, writer=ModuleTarget(module.attn.proj))


def _rest(module: TimmModule, at: str, width: int) -> Iterator[Site]:
    mlp, fc1 = module.mlp, first_map(module.mlp)
    yield Site("block.in", at + "block.in", width, InputOf(module))
    yield Site("fc1.out", at + "fc1.out", fc1.width, fc1.port, writer=fc1.target)
    yield fc2_in(mlp, at)
    yield Site("mlp.out", at + "mlp.out", width, OutputOf(mlp), writer=ModuleTarget(mlp.fc2))
    yield Site("block.out", at + "block.out", width, OutputOf(module))


def _padding(module: TimmModule) -> str:
    """Why a fold into q, k, v would reach padding that the adapter does not see; empty if there is
    none.
    """
    if getattr(module, "dynamic_mask", False):
        return "the map may be padded to whole windows, as the input size is free"
    sizes = zip(module.input_resolution, module.window_size, strict=True)
    if any(size % window for size, window in sizes):
        return "the map is padded to whole windows, and the padding is not adapted"
    return ""
