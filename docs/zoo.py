"""Write `docs/explanation/zoo.json`: where each installed method acts, what it trains and costs.

    hatch run docs:zoo            # all of them, some minutes
    hatch run docs:zoo lora arc   # these anew, the others as they are written

Every method is put on a ViT-B/16 and a Point-MAE of full size with random values. The tests compare
all counts, and one method as a whole, with what is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import onlay
from onlay import PluginHost
from onlay.anatomy import BuiltBackbone
from onlay.anatomy.adapter import Adapter
from onlay.anatomy.tokens import Insertion
from onlay.errors import AnatomyError, CannotFold

FILE = Path(__file__).parent / "explanation" / "zoo.json"
MANY = 4
"""More names than that of layers with trained copies are said by the names of their tensors."""

Acts = dict[str, list[Any]]


def vit() -> BuiltBackbone:
    """At 224 pixels."""
    import timm

    from onlay_image.backbones.build import adopt

    built = adopt(timm.create_model("vit_base_patch16_224", num_classes=0))
    assert built is not None
    return built


def point_mae() -> BuiltBackbone:
    """With 128 groups of 32 points, as ScanObjectNN's runs have them."""
    from onlay_pointcloud.backbones.build import adopt
    from onlay_pointcloud.network.point_mae import PointMae

    built = adopt(PointMae(groups=128, group_size=32))
    assert built is not None
    return built


NETWORKS: Mapping[str, Callable[[], BuiltBackbone]] = {"ViT-B/16": vit, "Point-MAE": point_mae}


def flops(call: Callable[[torch.Tensor], Any], built: BuiltBackbone) -> int:
    """What torch counts for one input: multiplications and additions of matrices, convolutions and
    attention, none of what is done number by number."""
    inputs = built.anatomy.prepared(built.anatomy.example(1))
    torch.manual_seed(0)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call(inputs)
    return counter.get_total_flops()


def row(name: str, built: BuiltBackbone, host: PluginHost, bare: int) -> dict[str, Any] | None:
    """Of a method with its defaults; none where it does not fit the backbone."""
    told = seen(name, built, host, bare)
    return None if told is None else {**told, "merges": folds(name, built, host)}


def seen(name: str, built: BuiltBackbone, host: PluginHost, bare: int) -> dict[str, Any] | None:
    """What can be told of it without values, too."""
    torch.manual_seed(0)
    try:
        model = onlay.adapt(built, name, num_classes=2, verify=False, host=host).eval()
    except AnatomyError:
        return None
    try:
        report = model.trainable_report()
        model.requires_grad_(False)  # torch's counter stumbles over parameters that are handed on
        return {
            "trained": report.method + report.other,
            "flops": flops(model.features, built) - bare,
            "acts": acts(model.adapter),
        }
    finally:
        model.detach()


def folds(name: str, built: BuiltBackbone, host: PluginHost) -> bool:
    """On this backbone, whatever the method promises of all; needs values."""
    model = onlay.adapt(built, name, num_classes=2, verify=False, host=host).eval()
    try:
        model.merge()
    except CannotFold:
        return False
    finally:
        model.detach()
    return True


def acts(adapter: Adapter) -> Acts:
    """Verb -> where, each place once for all blocks that have it: sites; of branches and wires
    their sources and their target; of `replace` layers, of `thaw` layers or tensors."""
    found: dict[str, list[Any]] = {
        "rewrite": [plain(p.site.path) for p in adapter.pipes.values() for _ in p.rewrites],
        "branch": [wire(b) for p in adapter.pipes.values() for b in p.incoming],
        "carry": [wire(w) for p in adapter.pipes.values() for w in p.carried],
        "insert": [plain(p.site.path) for p in adapter.pipes.values() if inserting(p.insertions)],
        "extend": ["attention" for _ in adapter.extended],
        "replace": [plain(r.map.path) for r in adapter.replacements],
        "thaw": copies([swap.path for swap in adapter.swaps if swap.parameter]),
    }
    return {verb: once(places) for verb, places in found.items() if places}


def inserting(insertions: Iterable[object]) -> bool:
    """Whether tokens come, and not keys and values alone."""
    return any(type(insertion) is Insertion for insertion in insertions)


def wire(made: Any) -> list[str]:
    return [*once([plain(tap.source.path) for tap in made.taps]), plain(made.target.path)]


def plain(path: str) -> str:
    """`attn.in` of `blocks.3.attn.in`; of a deeper name what is left behind its last number."""
    words = path.split(".")
    last = max((place for place, word in enumerate(words) if word.isdigit()), default=-1)
    return ".".join(words[last + 1 :])


def copies(paths: list[str]) -> list[str]:
    """Of which layers there are trained copies; where these are many, of tensors of which name."""
    tensors = once([plain(path).rpartition(".")[2] for path in paths])
    layers = once([layer_of(plain(path)) for path in paths])
    return layers if len(layers) <= MANY else tensors


def layer_of(tensor: str) -> str:
    """`norm1` of `norm1.weight`; a tensor that belongs to no layer is its own."""
    return tensor.rpartition(".")[0] or tensor


def once(places: Iterable[Any]) -> list[Any]:
    return [json.loads(text) for text in dict.fromkeys(map(json.dumps, places))]


def rows(host: PluginHost, written: Mapping[str, Any], names: set[str]) -> Iterator[Any]:
    """`(network, what is told of it)`; of methods not in `names` what is written already."""
    for network, make in NETWORKS.items():
        built = make()
        bare = flops(built.anatomy.encode, built)
        kept = {} if network not in written else written[network]["methods"]
        methods = {
            name: kept[name] if name in kept and name not in names else row(name, built, host, bare)
            for name in host.methods
        }
        size = sum(tensor.numel() for tensor in built.module.parameters())
        yield network, {"parameters": size, "flops": bare, "methods": methods}


def main(names: list[str]) -> None:
    written = json.loads(FILE.read_text()) if names else {}
    found = dict(rows(PluginHost.discover(), written, set(names)))
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
