"""Sites of pre-norm blocks: `Block` of `VisionTransformer` and of `Beit`, `EvaBlock` of `Eva`.

All three compute x + drop_path1(scale(attn(norm1(x)))), then x + drop_path2(scale(mlp(norm2(x)))).
"""

from __future__ import annotations

from collections.abc import Iterator

from onlay.anatomy import Block, InputOf, ModuleTarget, OutputOf, ResidualInto, Site
from onlay_image.anatomy.building import assemble, fc2_in, first_map, norm_target
from onlay_image.anatomy.qkv import dissect_qkv
from onlay_image.timm_types import TimmModule


def prenorm_block(module: TimmModule, index: int, width: int, *, keys_cancel: bool) -> Block:
    """One block; `keys_cancel`: a constant that is added to every key cancels in the softmax."""
    at = f"blocks.{index}."
    sites = [
        Site("block.in", at + "block.in", width, InputOf(module)),
        *_attention(module, at, width, keys_cancel),
        Site("mlp.res", at + "mlp.res", width, ResidualInto(module.norm2, module.drop_path2)),
        *_mlp(module, at, width),
        Site("block.out", at + "block.out", width, OutputOf(module)),
    ]
    return assemble(module, index, width, sites)


def _attention(module: TimmModule, at: str, width: int, keys_cancel: bool) -> Iterator[Site]:
    attn = module.attn
    qkv = dissect_qkv(attn, keys_cancel=keys_cancel)
    readers = [qkv.target]
    if getattr(attn, "gate", None) is not None:
        readers.append(ModuleTarget(attn.gate))
    norm = norm_target(module.norm1)
    yield Site("attn.in", at + "attn.in", width, InputOf(attn), writer=norm, readers=readers)
    yield Site("qkv.out", at + "qkv.out", qkv.width, qkv.port, writer=qkv.target, parts=qkv.parts)
    projection = ModuleTarget(attn.proj)
    yield Site("attn.out", at + "attn.out", width, OutputOf(attn), writer=projection)


def _mlp(module: TimmModule, at: str, width: int) -> Iterator[Site]:
    mlp, norm = module.mlp, norm_target(module.norm2)
    fc1 = first_map(mlp)
    yield Site("mlp.in", at + "mlp.in", width, InputOf(mlp), writer=norm, readers=[fc1.target])
    yield Site("fc1.out", at + "fc1.out", fc1.width, fc1.port, writer=fc1.target)
    yield fc2_in(mlp, at)
    yield Site("mlp.out", at + "mlp.out", width, OutputOf(mlp), writer=ModuleTarget(mlp.fc2))
