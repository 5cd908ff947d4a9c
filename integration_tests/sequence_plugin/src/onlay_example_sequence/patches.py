"""PeterRec's patches, grafted behind or beside both convolutions of a block.

Yuan et al., SIGIR 2020, arXiv:2001.04253. It asks for sites, not for a modality: on a vision
transformer the patches stand at the layers of the MLP.
"""

from torch import Tensor, nn
from torch.nn import functional

from onlay.anatomy import Anatomy, Placement
from onlay_example_sequence.config import PeterrecConfig

GRAFTED = (("mlp.in", "fc1.out"), ("fc2.in", "mlp.out"))
"""What each of a block's two layers reads, and what it gives."""


class Patch(nn.Module):
    """W_u GELU(W_d x + b) + b', 0 at the start."""

    def __init__(self, inside: int, hidden: int, outside: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(inside, hidden), nn.Linear(hidden, outside)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(functional.gelu(self.down(x)))


def attach(place: Placement, config: PeterrecConfig) -> None:
    """Serial: z becomes z + f(z), z being what a layer gives; parallel: z + f(x), of its input."""
    for block in place.blocks:
        for entering, leaving in GRAFTED:
            target = block.site(leaving)
            source = target if config.kind == "serial" else block.site(entering)
            hidden = max(1, target.width // config.reduction)
            place.branch(source, target, Patch(source.width, hidden, target.width))
        if config.norms and block.mlp_norm is not None:
            place.thaw(block.mlp_norm)


def count(config: PeterrecConfig, anatomy: Anatomy) -> int:
    """For each layer of widths i and o: h (i + o + 1) + o, h being o / 4; and two for each number
    of a norm that is trained."""
    total = 0
    for block in anatomy.blocks:
        for entering, leaving in GRAFTED:
            out = block.sites[leaving].width
            inside = out if config.kind == "serial" else block.sites[entering].width
            total += max(1, out // config.reduction) * (inside + out + 1) + out
        if config.norms and block.mlp_norm is not None:
            total += sum(p.numel() for p in block.mlp_norm.parameters())
    return total
