"""Manifests of bundles that somebody edited: refused, or they answer as before."""

from __future__ import annotations

import copy
import json
import random
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import onlay
from fuzzing import made
from fuzzing.cases import Case

Answer = tuple[Tensor, tuple[str, ...], dict[str, Any]]

_CONFIG = "adapter_config.json"


def make(rng: random.Random, folder: Path) -> Case:
    """One value of a manifest changed, added or taken away."""
    bundle = folder / "bundle"
    shutil.copytree(made.image_bundle(), bundle)
    path = bundle / _CONFIG
    whole = json.loads(path.read_text(encoding="utf-8"))
    told, text = rng.choice([_changed, _changed, _changed, _rewritten])(rng, whole)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return Case(told, lambda: answer(bundle), lambda got: _same(got, answer(made.image_bundle())))


def answer(bundle: Path) -> Answer:
    """All that makes an answer: outputs for one input, names of classes, preparation of inputs."""
    model = onlay.load(bundle, host=made.host())
    with torch.inference_mode():
        output = model(model.anatomy.example(2))
    return output, tuple(model.head.labels), dict(model.preprocessing)


def _same(got: Answer, whole: Answer) -> bool:
    return torch.equal(got[0], whole[0]) and got[1:] == whole[1:]


_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 10**30, 0.5, 1e308, "", "arc", "x" * 3000, "a\0b", "\n", "../..", [],
    {}, [1], ["a", "a"], {"name": "linear"}, [[[[]]]], "\ud800", "<b>", "[/b]", 64, [64, 64],
    [0.0] * 3,
)  # fmt: skip


def _places(tree: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place of a nested value."""
    inner = (
        tree.items()
        if isinstance(tree, dict)
        else enumerate(tree)
        if isinstance(tree, list)
        else ()
    )
    return [at] * bool(at) + [place for key, value in inner for place in _places(value, (*at, key))]


def _changed(rng: random.Random, whole: dict[str, Any]) -> tuple[str, str]:
    tree = copy.deepcopy(whole)
    place = rng.choice(_places(tree))
    holder = tree
    for key in place[:-1]:
        holder = holder[key]
    did = rng.choice(["is", "is", "is", "is gone", "is twice", "has a neighbour"])
    value = rng.choice(_VALUES)
    if did == "is gone":
        del holder[place[-1]]
    elif did == "is twice" and isinstance(holder, list):
        holder.append(holder[place[-1]])
    elif did == "has a neighbour" and isinstance(holder, dict):
        holder["neighbour"] = value
    else:
        did, holder[place[-1]] = f"is {json.dumps(value)[:40]}", value
    return f"`{'.'.join(map(str, place))}` {did}", json.dumps(tree)


def _rewritten(rng: random.Random, whole: dict[str, Any]) -> tuple[str, str]:
    """The text as no writer writes it."""
    text = json.dumps(whole)
    deep = 10 ** rng.randint(2, 5)
    return rng.choice(
        [
            ("another order", json.dumps(dict(reversed(whole.items())))),
            ("indented", json.dumps(whole, indent=7)),
            ("a value twice", text.replace('"labels":', '"labels": ["x", "y", "z"], "labels":', 1)),
            ("a value twice, behind", text[:-1] + ', "labels": ["x", "y", "z"]}'),
            ("NaN", text.replace("0.", "NaN, 0.", 1)),
            ("Infinity", text[:-1] + ', "metrics": {"test_top1": Infinity}}'),
            (f"{deep} brackets", "[" * deep + "]" * deep),
            (f"{deep} deep", '{"a":' * deep + "1" + "}" * deep),
            ("a number of 10,000 digits", text[:-1] + ', "format_version": ' + "9" * 10_000 + "}"),
            ("a list", f"[{text}]"),
            ("nothing", ""),
            ("null", "null"),
            ("cut", text[: rng.randrange(len(text))]),
            ("a newer one", text.replace('"format_version": 1', '"format_version": 99', 1)),
            ("PEFT's", '{"peft_type": "LORA", "r": 8}'),
        ]
    )
