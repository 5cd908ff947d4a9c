"""What routing costs: Adapter-X against one dense adapter and against other ways to run experts.

    python benchmarks/routing.py         # about 5 minutes; --json for the figures as JSON

One layer: tokens of ViT-B/16 at 224 with six prompts, (8, 203, 768), 16 experts, 12 sub-tokens of a
token, rank 64, forward and backward, dropout 0.1. All ways but `dense` share router and balance
loss. `blocks` is SMoA's own, at several block lengths; `grouped_mm` is torch's grouped product;
`loop, gathered` lets each expert compute the sub-tokens that its mask picks, `loop, masked` all of
them, and multiplies with the mask.

One step: ViT-B/16, batch 8, AdamW; `dense` is one adapter of rank 64 in each block, with everything
else (norms, prompts, class token) the same.

Modes take turns in every round, and a ratio is the median over rounds of that within a round.
Memory is the peak of live tensors in a layer's forward and backward pass.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from statistics import median

import torch
from live import LiveTensors
from step import Step, backbone, batch, ratio, take_turns
from torch import Tensor, nn
from torch.nn import functional as F

import onlay
import onlay.testing
from onlay_smoa import dispatch
from onlay_smoa.adapter import mixture_for
from onlay_smoa.config import SmoaConfig
from onlay_smoa.mixture import RoutedAdapter, SparseMixture
from onlay_smoa.router import Routing, balance_loss

BATCH, TOKENS, WIDTH, HEADS, RANK, THREADS = 8, 203, 768, 12, 64, 2
BLOCKS = (32, 64, 128, 256)
EXPERTS = (4, 16, 64)

Way = Callable[[SparseMixture, Tensor, Routing], Tensor]
"""Sub-tokens (n, d) and where they go -> what their experts make of them, times the gate."""


def own(block: int) -> Way:
    def blocks(mixture: SparseMixture, u_nd: Tensor, routing: Routing) -> Tensor:
        way = dispatch.Dispatch(routing.expert_n, len(mixture.router.embeddings), block)
        return way.collect(mixture.experts(way.spread(u_nd), way.expert_k), routing.gate_n)

    return blocks


def grouped_mm(mixture: SparseMixture, u_nd: Tensor, routing: Routing) -> Tensor:
    """Sorted by expert without padding; the rows are moved as `blocks` moves them."""
    experts, way = mixture.experts, dispatch.Dispatch(routing.expert_n, 16, 1)
    ends_N = way.counts_N.cumsum(0).to(torch.int32)
    x_nd = way.spread(u_nd).flatten(0, 1)[: len(u_nd)]
    sorted_n = routing.expert_n.sort(stable=True).values
    h_nr = F.grouped_mm(x_nd, experts.down.weight, offs=ends_N)
    h_nr = experts.dropout((h_nr + experts.down.bias.index_select(0, sorted_n)).relu_())
    y_nd = F.grouped_mm(h_nr, experts.up.weight, offs=ends_N)
    y_nd = y_nd + experts.up.bias.index_select(0, sorted_n)
    y_nd = F.pad(y_nd, (0, 0, 0, len(way.source_m) - len(y_nd)))
    return way.collect(y_nd.unsqueeze(1), routing.gate_n)


def expert(mixture: SparseMixture, index: int, u_nd: Tensor) -> Tensor:
    down, up = mixture.experts.down, mixture.experts.up
    h_nr = F.dropout(torch.addmm(down.bias[index], u_nd, down.weight[index]).relu(), 0.1)
    return torch.addmm(up.bias[index], h_nr, up.weight[index])


def loop_gathered(mixture: SparseMixture, u_nd: Tensor, routing: Routing) -> Tensor:
    out_nd = torch.zeros_like(u_nd)
    for index in range(len(mixture.router.embeddings)):
        mask_n = routing.expert_n == index
        out_nd[mask_n] = expert(mixture, index, u_nd[mask_n]) * routing.gate_n[mask_n, None]
    return out_nd


def loop_masked(mixture: SparseMixture, u_nd: Tensor, routing: Routing) -> Tensor:
    out_nd = torch.zeros_like(u_nd)
    for index in range(len(mixture.router.embeddings)):
        gate_n = routing.gate_n * (routing.expert_n == index)
        out_nd = out_nd + expert(mixture, index, u_nd) * gate_n[:, None]
    return out_nd


WAYS: Mapping[str, Way] = {
    **{f"blocks of {block}": own(block) for block in BLOCKS},
    "grouped_mm": grouped_mm,
    "loop, gathered": loop_gathered,
    "loop, masked": loop_masked,
}
OWN = f"blocks of {dispatch.BLOCK}"


def mixture(experts: int = 16) -> SparseMixture:
    torch.manual_seed(0)
    block = onlay.testing.tiny_backbone(width=WIDTH, depth=1, heads=HEADS).anatomy.blocks[0]
    made = mixture_for([block], SmoaConfig(experts=experts, rank=RANK, query_width=8), "")
    nn.init.normal_(made.experts.up.weight, std=0.1)
    return made.train()


def tokens() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BATCH, TOKENS, WIDTH, generator=generator).requires_grad_()


def layer(way: Way, experts: int = 16) -> Step:
    """Forward and backward of one routed layer."""
    made, z_BTD = mixture(experts), tokens()
    g_nd = torch.randn(BATCH * TOKENS * HEADS, WIDTH // HEADS)

    def step() -> None:
        u_nd = z_BTD.view(-1, WIDTH // HEADS)
        routing = made.router(u_nd)
        out_nd = way(made, u_nd, routing)
        share_N = torch.bincount(routing.expert_n, minlength=experts) / len(u_nd)
        balance = balance_loss(routing.cosine_Nn, share_N, 0.3)
        torch.autograd.backward([out_nd, balance], [g_nd, torch.tensor(0.01)])

    return step


class Dense(nn.Module):
    """AdaptFormer's adapter, 768 to 64 to 768."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(WIDTH, RANK), nn.Linear(RANK, WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, z_BTD: Tensor) -> Tensor:
        return self.up(self.dropout(self.down(z_BTD).relu()))


def dense_layer() -> Step:
    made, z_BTD, g_BTD = Dense(), tokens(), torch.randn(BATCH, TOKENS, WIDTH)
    return lambda: made(z_BTD).backward(g_BTD)


def training(dense: bool) -> Step:
    """One step of ViT-B/16 under SMoA, or with a dense adapter in the place of every mixture."""
    model = onlay.adapt(backbone(), "smoa", num_classes=100)
    for pipe in [p for p in model.adapter.pipes.values() if dense and p.incoming]:
        for number, branch in enumerate(pipe.incoming):
            assert isinstance(branch.module, RoutedAdapter)
            branch.module = pipe.branches[number] = Dense()
    inputs = batch()
    optimizer = torch.optim.AdamW(model.trained_parameters().values(), lr=1e-4)
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        model.loss(inputs).backward()
        optimizer.step()

    return step


def peak(step: Step) -> float:
    """MiB that one step adds to what was there before."""
    with LiveTensors() as live:
        step()
        before, live.peak = live.now, live.now
        step()
        return (live.peak - before) / 2**20


def measure(rounds: int) -> dict[str, dict[str, float]]:
    layers = {"dense": dense_layer, **{n: lambda w=w: layer(w) for n, w in WAYS.items()}}
    steps = {"dense": lambda: training(True), "smoa": lambda: training(False)}
    found = {}
    for kind, modes, of in (("layer", layers, 3 * rounds), ("step", steps, rounds)):
        seconds = take_turns(modes, of)
        for mode in modes:
            found[f"{kind}: {mode}"] = {
                "wall_ms": 1e3 * median(r[mode][0] for r in seconds),
                "wall": ratio(seconds, mode, "dense", 0),
                "cpu": ratio(seconds, mode, "dense", 1),
            }
            if kind == "layer" and mode != OWN:
                found[f"{kind}: {mode}"]["to_own"] = ratio(seconds, mode, OWN, 0)
    for experts in EXPERTS:
        peaks = {way: peak(layer(WAYS[way], experts)) for way in (OWN, "loop, masked")}
        found[f"memory: {experts} experts"] = peaks
    return found


def show(found: dict[str, dict[str, float]]) -> None:
    for name, row in found.items():
        if name.startswith("memory"):
            print(f"{name:<24}" + "".join(f"   {way} {mib:.0f} MiB" for way, mib in row.items()))
            continue
        to_own = f"   {row['to_own']:.2f} of ours" if "to_own" in row else ""
        print(
            f"{name:<24}{row['wall_ms']:>9.1f} ms   {row['wall']:.3f} of dense"
            f"   (CPU {row['cpu']:.3f}){to_own}"
        )
    print("\nstep: smoa / dense at most 1.10; layer: loop / ours at least 3")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="rounds of training steps")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    found = measure(arguments.rounds)
    print(json.dumps(found, indent=2)) if arguments.json else show(found)


if __name__ == "__main__":
    main()
