"""Which tuners the installed peft has, and their options, read from its source.

Importing peft imports torch and transformers, ten seconds that nobody should wait for a misspelt
option. So its configuration classes are parsed, never run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from onlay.errors import PluginError
from onlay.host.firstparty import install

UNFIT = {
    "adalora": "its ranks are shared out anew by a call between the steps of a loop made for it",
    "adaption_prompt": "it adapts the attention modules of language models",
    "dora": "it is LoRA with `options: {use_dora: true}`",
    "ln_tuning": "it trains a copy of the whole layer, as the method `full` does",
    "osf": "it projects gradients in hooks on its parameters, which no copy of a model keeps",
    "poly": "it needs the number of a task beside every input",
    "shadow": "it adapts the decoder blocks of language models",
    "trainable_tokens": "it trains rows of an embedding of words",
    "xlora": "it mixes adapters that are trained already",
}
"""Tuners that make nothing of a linear layer in a vision backbone, and what is none: why."""

_PLACES = (
    *("target_modules", "exclude_modules", "target_parameters", "modules_to_save"),
    *("layers_to_transform", "layers_pattern", "layer_replication"),
)
_FROM_DATA = "it starts from data that a program of peft's own goes through"
_OWN_LOSS = "it adds a loss that only peft's own model collects"
ELSEWHERE = {
    **dict.fromkeys(_PLACES, "`sites` says where the adapter acts"),
    **dict.fromkeys(("corda_config", "eva_config", "lora_ga_config"), _FROM_DATA),
    **dict.fromkeys(("kasa_config", "monteclora_config"), _OWN_LOSS),
    "alora_invocation_tokens": "it looks for words in a text",
    "arrow_config": "it routes between adapters that are trained already",
    "bias": "it would train biases of the frozen network, as the method `bitfit` does",
    "loftq_config": "it quantises the frozen weights",
}
"""Options of peft that have no place here -> why."""

STARTS_FROM_DATA = {"corda": _FROM_DATA, "eva": _FROM_DATA, "lora_ga": _FROM_DATA}
"""Values of `init_lora_weights` that cannot be had here -> why."""

_OF_LIBRARIES = frozenset(
    {
        *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path"),
        *("revision", "inference_mode", "fan_in_fan_out", "trainable_token_indices"),
        *("megatron_config", "megatron_core", "ensure_weight_tying", "runtime_config"),
    }
)
HIDDEN = _OF_LIBRARIES | ELSEWHERE.keys()
"""Options that are none of the user's."""


@dataclass(frozen=True)
class _Class:
    bases: tuple[str, ...]
    fields: tuple[str, ...]
    tuner: str


@lru_cache(maxsize=1)
def tuners() -> dict[str, tuple[str, ...]]:
    """Every tuner for linear layers in the words of `PeftType`, lower-case -> its options."""
    classes = dict(_classes(_folder()))
    found = {c.tuner: tuple(dict.fromkeys(_fields(n, classes))) for n, c in classes.items()}
    return {
        name: tuple(field for field in fields if field not in HIDDEN)
        for name, fields in sorted(found.items())
        if name and name not in UNFIT and "target_modules" in fields
    }


def also(name: str) -> str:
    """What to write for a tuner that somebody asks for as a method; empty for no tuner."""
    name = name.lower().replace("-", "_")
    if name == "dora":
        return (
            "it is LoRA with an option of PEFT's:"
            " `method=peft method.tuner=lora method.options.use_dora=true`"
        )
    if name in UNFIT:
        return f"and method `peft` does not do it: {UNFIT[name]}"
    if find_spec("peft") is None or name not in tuners():
        return ""
    return f"it is a tuner of PEFT: `method=peft method.tuner={name}`"


def _folder() -> Path:
    spec = find_spec("peft")
    if spec is None or spec.origin is None:
        raise PluginError(f"method `peft` needs the package `peft`: {install('peft')}")
    return Path(spec.origin).parent


def _classes(folder: Path) -> Iterator[tuple[str, _Class]]:
    for path in (folder / "config.py", *sorted((folder / "tuners").glob("**/*.py"))):
        text = path.read_text(encoding="utf-8")
        if "Config(" not in text or "@dataclass" not in text:
            continue
        for node in ast.parse(text).body:
            if isinstance(node, ast.ClassDef):
                yield node.name, _read(node)


def _read(node: ast.ClassDef) -> _Class:
    fields = [
        item.target.id
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
    ]
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return _Class(tuple(bases), tuple(fields), _tuner(node))


def _tuner(node: ast.ClassDef) -> str:
    """`lora` for a class that says `self.peft_type = PeftType.LORA`."""
    for item in ast.walk(node):
        if not isinstance(item, ast.Assign) or not isinstance(item.value, ast.Attribute):
            continue
        source = item.value.value
        if isinstance(source, ast.Name) and source.id == "PeftType":
            return item.value.attr.lower()
    return ""


def _fields(name: str, classes: dict[str, _Class]) -> Iterator[str]:
    if name in classes:
        yield from classes[name].fields
        for base in classes[name].bases:
            yield from _fields(base, classes)
