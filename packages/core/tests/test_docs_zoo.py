"""The tables of methods say what is there now: `hatch run docs:zoo NAME` writes a row anew."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from onlay import PluginHost
from onlay.config import parse
from onlay.descriptors import resolve
from onlay.host.firstparty import distribution_of

pytest.importorskip("onlay_image", reason="one network is timm's: onlay-image")
pytest.importorskip("onlay_pointcloud", reason="the other one is of onlay-pointcloud")

EXPLANATION = Path(__file__).parents[3] / "docs" / "explanation"


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return PluginHost.discover()


@pytest.fixture(scope="module")
def zoo(generate: ModuleType) -> Any:
    """The script beside `generate`, whose folder is on the path."""
    import zoo

    return zoo


@pytest.fixture(scope="module")
def written(generate: ModuleType) -> dict[str, Any]:
    return sys.modules["zoo_pages"].written()


@pytest.fixture(scope="module")
def empty(zoo: Any) -> dict[str, Any]:
    """The networks without values."""
    with torch.device("meta"):
        return {network: make() for network, make in zoo.NETWORKS.items()}


@pytest.mark.parametrize("network", ["ViT-B/16", "Point-MAE"])
def test_counts_and_merging_are_those_of_formula_and_matrix(
    network: str, written: dict[str, Any], empty: dict[str, Any], zoo: Any, host: PluginHost
) -> None:
    methods, built = written[network]["methods"], empty[network]
    matrix = json.loads((EXPLANATION.parent / "reference" / "matrix.json").read_text())
    tried = matrix["classification"]["vit" if network == "ViT-B/16" else "point_mae"]
    assert written[network]["parameters"] == sum(p.numel() for p in built.module.parameters())
    ours = [name for name in host.methods if name in methods or distribution_of("method", name)]
    missing = {*ours} - methods.keys()
    assert not missing, f"run `hatch run docs:zoo {' '.join(sorted(missing))}`"
    for name in ours:
        row, method = methods[name], host.methods[name]
        if row is None:
            assert method.needs - built.anatomy.provides, name
            continue
        promised = method.promised(parse("method", name, host), built.anatomy.provides)
        assert row["merges"] or "foldable" not in promised, name
        told = tried.get(name)  # on a small one of the kind
        assert told is None or row["merges"] == told["merges"], name
        if method.count:
            formula = resolve(method.count)(parse("method", name, host), built.anatomy)
            assert row["trained"] == formula, name


def test_a_row_is_what_putting_the_method_there_shows(
    written: dict[str, Any], empty: dict[str, Any], zoo: Any, host: PluginHost
) -> None:
    if "lora" not in host.methods:
        pytest.skip("needs onlay-baselines")
    shown = written["ViT-B/16"]
    with torch.device("meta"):
        row = zoo.seen("lora", empty["ViT-B/16"], host, shown["flops"])
    assert {**row, "merges": True} == shown["methods"]["lora"]
    tokens, low_ranks = 197, 12 * 2 * 2 * 768 * 8  # blocks, q and v, down and up
    assert row["flops"] == 2 * tokens * low_ranks


def test_words_and_numbers_of_the_tables(generate: ModuleType, host: PluginHost) -> None:
    pages = sys.modules["zoo_pages"]
    acts = {"branch": [["attn.in", "qkv.out.q"], ["mlp.out", "mlp.out"]], "thaw": ["norm1"]}
    networks = {"a": {"methods": {"m": None}}, "b": {"methods": {"m": {"acts": acts}}}}
    said = "branch `attn.in` → `qkv.out.q`, `mlp.out` → `mlp.out`; thaw `norm1`"
    assert pages.where("m", networks) == said
    assert [pages.extra(share) for share in (0, 0.0132, -0.312, 1.2295)] == [
        "0",
        "+1.3 %",
        "-31 %",
        "+123 %",
    ]
    linear = next(row for row in pages.kinds(host) if row.startswith("| `linear` |"))
    assert linear == "| `linear` | only the head is trained | - | static | yes |  |"


@pytest.mark.parametrize("plugin", ["baselines", "dyt"])
def test_every_method_has_its_picture(
    plugin: str, generate: ModuleType, host: PluginHost, written: dict[str, Any]
) -> None:
    own = [name for name in host.methods if host.owner("method", name).name == plugin]
    page = (EXPLANATION / f"{plugin}.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^<!-- acts: (\w+) -->$", page, re.MULTILINE)) == own
    for name in own:
        figure = ElementTree.fromstring(generate.part("acts", [name]))
        drawing = figure[0]
        title, told = drawing[0], drawing[1]
        assert drawing.get("aria-labelledby") == f"{title.get('id')} {told.get('id')}"
        words = " ".join("".join(text.itertext()) for text in drawing if text is not told)
        acts = sys.modules["zoo_pages"].found(name, written)["acts"]
        for verb, places in acts.items():
            for place in places if verb not in ("replace", "thaw", "extend") else ():
                for site in [place] if isinstance(place, str) else place:
                    assert ".".join(site.split(".")[:2]) in words, (name, site)
