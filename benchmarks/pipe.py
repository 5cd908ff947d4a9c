"""What the pipe itself costs: reading, rewriting and adding at two sites a block, without a module.

    python benchmarks/pipe.py            # about a minute; --json for the figures as JSON

ViT-B/16 at 224, batch 8, 2 threads. What attention and MLP read is read and rewritten by the
identity, and a single zero is added behind each. Both sides train the class token, so that the
gradient passes through all blocks; the share is that of such a step, shorter than one of full
fine-tuning. Steps take turns. What the pipe adds in operations, and in numbers that they put out,
does not depend on the machine.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any, Literal

from step import Step, backbone, command, ours, take_turns
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from onlay import hookimpl
from onlay.anatomy import Placement
from onlay.descriptors import Method
from onlay.host import PluginHost
from onlay.settings import Config

AT_MOST = 0.01
SITES = (("attn.in", "attn.out"), ("mlp.in", "mlp.out"))


class PipesConfig(Config):
    """A class token, and pipes in which nothing happens."""

    name: Literal["pipes"] = "pipes"
    """This one."""
    on: bool = True
    """Whether there are pipes."""


class Nothing(nn.Module):
    """A zero for all tokens."""

    def forward(self, x_BTD: Tensor) -> Tensor:
        return x_BTD.new_zeros(1, 1, 1)


def attach(place: Placement, config: PipesConfig) -> None:
    owner, name = place.anatomy.class_token or (nn.Module(), "")
    place.thaw(getattr(owner, name))
    for block in place.blocks if config.on else ():
        for entry, exit in SITES:
            place.rewrite(block.site(entry), nn.Identity())
            place.branch(block.site(entry), block.site(exit), Nothing())


class Plugin:
    @staticmethod
    @hookimpl
    def register_methods() -> Iterable[Method]:
        yield Method(name="pipes", config=PipesConfig, attach=f"{__name__}:attach", summary="none")


class Operations(TorchDispatchMode):
    """How many operations there are, and how many numbers they put out."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = self.numbers = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.operations += 1
        self.numbers += sum(t.numel() for t in tree_leaves(out) if isinstance(t, Tensor))
        return out


def counted(step: Step) -> tuple[int, int]:
    with Operations() as found:
        step()
    return found.operations, found.numbers


def measure(depth: int, rounds: int) -> dict[str, float]:
    host = PluginHost.discover()
    host.add(Plugin(), name="pipe-benchmark")
    made = {
        name: ours({"name": "pipes", "on": on}, host)(backbone(depth))
        for name, on in (("without", False), ("with", True))
    }
    seconds = take_turns({name: lambda step=step: step for name, step in made.items()}, rounds)
    counts = {name: counted(step) for name, step in made.items()}
    extra = [b - a for a, b in zip(counts["without"], counts["with"], strict=True)]
    sites = len(SITES) * depth
    return {
        "wall": median(r["with"][0] / r["without"][0] for r in seconds) - 1,
        "cpu": median(r["with"][1] / r["without"][1] for r in seconds) - 1,
        "operations_a_site": extra[0] / sites,
        "share_of_numbers": extra[1] / counts["without"][1],
    }


def tell(found: dict[str, float]) -> None:
    print(f"pipes at {len(SITES)} sites of each block, more than without:")
    print(f"wall {found['wall']:+.2%}, CPU {found['cpu']:+.2%} (at most {AT_MOST:.0%});", end=" ")
    print(f"{found['operations_a_site']:.1f} operations a site, which put out", end=" ")
    print(f"{found['share_of_numbers']:.2%} of a step's numbers")


if __name__ == "__main__":
    command(__doc__, 10, measure, tell)
