"""The eigenvectors of a cloud's graph, whole and in chunks along a curve.

Shapes: B batch, G centres, c of a chunk, n chunks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from onlay_cloud_methods.graphs import exact_distances

BITS = 10
"""Of each axis, on the curve."""
LEGACY_BITS = 16
TINY = 1e-6


@dataclass(frozen=True)
class Spectra:
    """Of a batch of clouds."""

    whole_BGG: Tensor
    """Eigenvectors in columns, by rising eigenvalue."""
    order_BG: Tensor
    """The centres along the curve."""
    chunks: tuple[Tensor, ...]
    """(B, n, c, c) of all chunks of one size, and of the rest if there is one."""


def spectra(
    centres_BG3: Tensor, chunk: int, *, legacy: bool = False, plain: bool = False
) -> Spectra:
    """In float32, without a gradient."""
    with torch.no_grad(), torch.autocast(centres_BG3.device.type, enabled=False):
        centres_BG3 = centres_BG3.detach().float()
        order_BG = along_curve(centres_BG3, legacy=legacy)
        sorted_BG3 = centres_BG3.gather(1, order_BG[..., None].expand(-1, -1, 3))
        pieces = [piece for piece in _pieces(sorted_BG3, chunk) if piece.shape[1]]
        how = {"legacy": legacy, "plain": plain}
        found = tuple(eigenvectors(piece, **how) for piece in pieces)
        return Spectra(eigenvectors(centres_BG3[:, None], **how)[:, 0], order_BG, found)


def _pieces(sorted_BGC: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    """Chunks (B, n, c, C), and what is left over as one, (B, 1 or 0, rest, C)."""
    batch, groups, channels = sorted_BGC.shape
    full = groups // chunk
    rest = sorted_BGC[:, None, full * chunk :]
    whole = sorted_BGC[:, : full * chunk].reshape(batch, full, chunk, channels)
    return whole, rest if groups % chunk else rest[:, :0]


def in_chunks(sorted_BGC: Tensor, chunk: int) -> list[Tensor]:
    """As `Spectra.chunks` has them."""
    return [piece for piece in _pieces(sorted_BGC, chunk) if piece.shape[1]]


def eigenvectors(centres_Bnc3: Tensor, *, legacy: bool = False, plain: bool = False) -> Tensor:
    """(B, n, c, c) of the Laplacian, normalised unless `plain`, of the complete graph, whose
    weights fall with the distance in units of the smallest one; of each the largest number is
    positive, so that it is the same wherever it is computed."""
    distances = exact_distances(centres_Bnc3)
    far = torch.where(distances > 0, distances, torch.inf)
    least = far.amin() if legacy else far.amin((-2, -1), keepdim=True)
    least = torch.where(least.isinf(), torch.ones_like(least), least)
    eye = torch.eye(distances.shape[-1], device=distances.device)
    apart = torch.where((distances > 0) | (eye > 0), distances / least, 1.0)  # copies of a point
    weights = 1 / (apart + eye)
    laplacian = _laplacian(weights, plain=plain)
    vectors = torch.linalg.eigh(laplacian).eigenvectors
    largest = vectors.gather(-2, vectors.abs().argmax(-2, keepdim=True))
    return vectors * largest.sign()


def _laplacian(weights: Tensor, *, plain: bool) -> Tensor:
    degrees = weights.sum(-1)
    if plain:
        return torch.diag_embed(degrees) - weights
    root = degrees.add(TINY).rsqrt()
    eye = torch.eye(weights.shape[-1], device=weights.device)
    return eye - root[..., :, None] * weights * root[..., None, :]


def along_curve(centres_BG3: Tensor, *, legacy: bool = False) -> Tensor:
    """Indices (B, G) of the centres in z-order: by the interleaved bits of their coordinates."""
    cells, bits = _cells(centres_BG3, legacy=legacy)
    code = torch.zeros_like(cells[..., 0])
    for bit in range(bits):
        for axis in range(3):
            code |= ((cells[..., axis] >> bit) & 1) << (3 * bit + axis)
    return code.argsort(dim=1, stable=True)


def _cells(centres_BG3: Tensor, *, legacy: bool) -> tuple[Tensor, int]:
    """Of each axis, the last one the weightiest, and how many bits of them count; in the authors'
    code those are of size 0.01, in the order z, x, y, and below 0 in two's complement."""
    if legacy:
        return (centres_BG3[..., [2, 0, 1]] * 100).long(), LEGACY_BITS
    low = centres_BG3.amin(1, keepdim=True)
    size = (centres_BG3.amax(1, keepdim=True) - low).amax(-1, keepdim=True).clamp_min(TINY)
    return ((centres_BG3 - low) / size * (2**BITS - 1)).long(), BITS
