"""From a cloud to groups of neighbours around centres.

Shapes: B batch, N points, G groups, K points of a group.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import torch
from torch import Tensor, nn

from onlay_pointcloud.ops.neighbours import k_nearest
from onlay_pointcloud.ops.sampling import farthest_point_sample, take

KEPT_BYTES = 256 * 2**20
"""How many indices of evaluated clouds stay in memory."""


class Grouping(nn.Module):
    """Farthest-point centres and their nearest neighbours; groups are centred, not scaled.

    In evaluation, where a cloud comes again unchanged, its indices are computed once and kept.
    """

    def __init__(self, groups: int, group_size: int, *, skip_near_origin: bool = False) -> None:
        super().__init__()
        self.groups, self.group_size = groups, group_size
        self.skip_near_origin = skip_near_origin
        self.kept: OrderedDict[bytes, Tensor] = OrderedDict()

    def forward(self, points_BN3: Tensor) -> tuple[Tensor, Tensor]:
        """Patches (B, G, K, 3) relative to their centres, and the centres (B, G, 3), in float32 or
        wider."""
        points_BN3 = points_BN3.to(torch.promote_types(points_BN3.dtype, torch.float32))
        kept = not self.training and not torch.compiler.is_compiling()
        index = self._looked_up(points_BN3) if kept else self._indices(points_BN3)
        centres_BG3 = take(points_BN3, index[:, :, 0])
        return take(points_BN3, index[:, :, 1:]) - centres_BG3.unsqueeze(2), centres_BG3

    def _indices(self, points_BN3: Tensor) -> Tensor:
        """(B, G, 1 + K): of the centre, and of its neighbours."""
        chosen_BG = farthest_point_sample(
            points_BN3, self.groups, skip_near_origin=self.skip_near_origin
        )
        near_BGK = k_nearest(points_BN3, take(points_BN3, chosen_BG), self.group_size)
        return torch.cat([chosen_BG.unsqueeze(-1), near_BGK], dim=-1)

    def _looked_up(self, points_BN3: Tensor) -> Tensor:
        keys = [self._key(cloud) for cloud in points_BN3.detach().cpu().numpy()]
        unknown = [i for i, key in enumerate(keys) if key not in self.kept]
        if unknown:
            found = self._indices(points_BN3[unknown]).to("cpu", torch.int32)
            self.kept.update(zip((keys[i] for i in unknown), found, strict=True))
        index = torch.stack([self.kept[key] for key in keys]).to(points_BN3.device, torch.int64)
        while len(self.kept) * index[0].numel() * 4 > KEPT_BYTES:
            self.kept.popitem(last=False)
        return index

    def _key(self, cloud_N3) -> bytes:
        settings = (self.groups, self.group_size, self.skip_near_origin, cloud_N3.shape)
        return blake2b(cloud_N3.tobytes(), digest_size=16, key=repr(settings).encode()).digest()
