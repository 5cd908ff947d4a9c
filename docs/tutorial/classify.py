"""Classify a scan with the exported program: torch and a reader of files, no Onlay."""

import torch
import trimesh

LABELS = ("barrel", "cone", "crate")  # the folders, sorted
model = torch.export.load("scans.pt2").module()

points = torch.tensor(trimesh.load("new-scans/cone-1.ply").vertices, dtype=torch.float32)
chosen = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))[:1024]
points = points[chosen] - points[chosen].mean(0)
points = points / points.norm(dim=1).max()  # the unit sphere, as in training

with torch.inference_mode():
    shares = model(points[None]).softmax(-1)[0]
for label, share in zip(LABELS, shares.tolist(), strict=True):
    print(f"{label}: {share:.1%}")
