"""The reference of configuration says of every field what the JSON Schema says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import ANY

import pytest

from onlay import PluginHost
from onlay.config.run import BLOCKS
from onlay.config.schema import run_schema

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "configuration.md"
ROW = re.compile(r"^\| `([\w.]+)` \| (.*?) \| (\w+|`[^`]*`) \| (.*) \|$", re.MULTILINE)
Rows = dict[str, tuple[str, str]]


@pytest.fixture(scope="module")
def tables(generate: ModuleType) -> dict[str, Rows]:
    """Of each table of fields: the default and the meaning of every field."""
    lines = re.findall(r"^<!-- fields: .* -->$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = {
        line[len("<!-- fields: ") : -len(" -->")]: ROW.findall(generate.on_page_markdown(line))
        for line in lines
    }
    return {
        words: {name: (default.strip("`"), said) for name, _, default, said in rows}
        for words, rows in found.items()
    }


@pytest.fixture(scope="module")
def definitions() -> dict[str, Any]:
    return run_schema(PluginHost.discover())["$defs"]


def fields(cls: str, definitions: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Default and meaning of every field of a class in the schema, as a table has them; those of
    blocks under dotted names."""
    for name, said in definitions[cls]["properties"].items():
        block = said.get("$ref", "").rpartition("/")[2]
        if block and "properties" in definitions[block]:
            yield from fields(block, definitions, f"{prefix}{name}.")
        elif name != "$v" and prefix + name != "name":
            required = name in definitions[cls].get("required", [])
            text = " ".join(said.get("description", "").split()).replace("|", r"\|")
            yield prefix + name, ("required" if required else written(said), text)


def written(said: dict[str, Any]) -> Any:
    """A default as a run file would say it: a block by its name. One that is made anew for each
    configuration, such as an empty mapping, is not in a schema."""
    if "default" not in said:
        return ANY
    default = said["default"]
    if isinstance(default, dict) and "name" in default:
        return default["name"]
    return default if isinstance(default, str) else json.dumps(default)


def options(field: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a block can be: names, and where their fields are."""
    for case in field["else"]["allOf"]:
        yield case["if"]["properties"]["name"]["const"], case["then"]["$ref"]


def test_every_field_of_the_schema_is_there_with_its_default_and_meaning(
    tables: dict[str, Rows], definitions: dict[str, Any]
) -> None:
    block_of = definitions["RunConfig"]["properties"]
    classes = {
        f"{block.kind} {name}": ref.rpartition("/")[2]
        for field, block in BLOCKS.items()
        for name, ref in options(block_of[field])
    }
    inside = (cls["properties"].get("decoder", {}) for cls in definitions.values())
    for field in (found for found in inside if "else" in found):  # a block in a block
        classes |= {f"decoder {n}": ref.rpartition("/")[2] for n, ref in options(field)}
    assert {"run", "train", *classes} == set(tables)
    for words, cls in classes.items():
        assert tables[words] == dict(fields(cls, definitions)), words
    whole = dict(fields("RunConfig", definitions))
    assert tables["run"] == {n: m for n, m in whole.items() if not n.startswith("train.")}
    inner = {n[6:]: m for n, m in whole.items() if n.startswith("train.")}
    assert tables["train"] == inner


def test_every_field_has_a_meaning(tables: dict[str, Rows]) -> None:
    missing = [(t, n) for t, rows in tables.items() for n, (_, said) in rows.items() if not said]
    assert not missing
