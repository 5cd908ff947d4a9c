"""Sites of the two kinds of block: Point-MAE's, and ReCon's patch branch."""

from __future__ import annotations

from typing import Any

from onlay.anatomy import Block, InputOf, ModuleTarget, OutputOf, ResidualInto, Site
from onlay.anatomy.parts import FUSED
from onlay_pointcloud.network.blocks import ReConBlock


def dissect_block(module: Any, index: int, width: int) -> Block:
    """One block.

    In ReCon the sites between `block.in` and `block.out` are those of the patches (and of inserted
    tokens), and three global tokens pass beside them; its norms write the residual stream too, so
    nothing folds into them there.
    """
    at = f"blocks.{index}."
    attn, mlp = module.attn, module.mlp
    recon = isinstance(module, ReConBlock)
    norm1 = None if recon else ModuleTarget(module.norm1, diagonal=True)
    norm2 = None if recon else ModuleTarget(module.norm2, diagonal=True)
    stream = InputOf(module.norm2) if recon else ResidualInto(module.norm2, module.drop_path2)
    qkv, fc1, fc2 = (ModuleTarget(layer) for layer in (attn.qkv, mlp.fc1, mlp.fc2))
    hidden, parts = mlp.fc1.out_features, dict.fromkeys(FUSED, width)
    sites = [
        Site("block.in", at + "block.in", width, InputOf(module)),
        Site("attn.in", at + "attn.in", width, InputOf(attn), writer=norm1, readers=(qkv,)),
        Site("qkv.out", at + "qkv.out", 3 * width, OutputOf(attn.qkv), writer=qkv, parts=parts),
        Site("attn.out", at + "attn.out", width, OutputOf(attn), writer=ModuleTarget(attn.proj)),
        Site("mlp.res", at + "mlp.res", width, stream),
        Site("mlp.in", at + "mlp.in", width, InputOf(mlp), writer=norm2, readers=(fc1,)),
        Site("fc1.out", at + "fc1.out", hidden, OutputOf(mlp.fc1), writer=fc1),
        Site("fc2.in", at + "fc2.in", hidden, InputOf(mlp.fc2), readers=(fc2,)),
        Site("mlp.out", at + "mlp.out", width, OutputOf(mlp), writer=fc2),
        Site("block.out", at + "block.out", width, OutputOf(module), beside=3 if recon else 0),
    ]
    by_name = {site.name: site for site in sites}
    return Block(index, width, by_name, module, heads=attn.num_heads, mlp_norm=module.norm2)
