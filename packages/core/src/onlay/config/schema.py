"""JSON Schema of run files over whatever is installed, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from onlay.config.oneof import NAME_OF, ONE_OF, OneOf, blocks_of
from onlay.config.run import BLOCKS, RunConfig
from onlay.host.firstparty import names_of
from onlay.settings import VERSION_KEY

if TYPE_CHECKING:
    from onlay.host import PluginHost
    from onlay.settings import Config

REF = "#/$defs/{model}"


def run_schema(host: PluginHost) -> dict[str, Any]:
    """The schema (draft 2020-12) of a run file: each block is the installed configuration of its
    name."""
    classes, blocks = _classes(host)
    ordered = sorted(classes, key=lambda c: c.__qualname__)
    found, schema = models_json_schema([(c, "validation") for c in ordered], ref_template=REF)
    refs = {cls: ref["$ref"] for (cls, _), ref in found.items()}
    definitions = schema["$defs"]
    kinds = {block.kind: block.configs(host) for block in blocks}
    implied = [kinds[block.kind].get(block.default) for block in blocks if block.default]
    for cls in ordered:
        _name_things(cls, _behind(refs[cls], definitions), must_say=cls not in implied)
    options = {
        kind: {name: refs[cls] for name, cls in configs.items()} for kind, configs in kinds.items()
    }
    _list_blocks(definitions, options, host)
    _list_names(definitions, host)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": refs[RunConfig],
        "$defs": definitions,
    }


def _classes(host: PluginHost) -> tuple[set[type[Config]], set[OneOf]]:
    """Every configuration that a run file can hold, also as a block in a block, and the blocks."""
    classes: set[type[Config]] = {RunConfig}
    blocks = set(BLOCKS.values())
    while True:
        found = set(classes).union(*(block.configs(host).values() for block in blocks))
        if found == classes:
            return classes, blocks
        classes = found
        blocks |= {block for cls in classes for _, block in blocks_of(cls)}


def _list_blocks(schema: Any, options: dict[str, dict[str, str]], host: PluginHost) -> None:
    """Put the installed configurations wherever one of them is expected."""
    if isinstance(schema, dict) and (said := schema.pop(ONE_OF, None)):
        block = OneOf(*said)
        inner = _by_name(options[block.kind], block.default)
        schema |= {"if": {"type": "string"}, "then": _short_form(block, host), "else": inner}
        return
    for inner in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(inner, dict | list):
            _list_blocks(inner, options, host)


def _behind(ref: str, definitions: dict[str, Any]) -> dict[str, Any]:
    return definitions[ref.rpartition("/")[2]]


def _list_names(schema: Any, host: PluginHost) -> None:
    """Put the registered names wherever one of them is expected."""
    if isinstance(schema, dict) and (kind := schema.pop(NAME_OF, None)):
        schema["enum"] = sorted(names_of(kind) | set(host.registered(kind)))
    for inner in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(inner, dict | list):
            _list_names(inner, host)


def _name_things(cls: type[Config], schema: dict[str, Any], *, must_say: bool) -> None:
    """What a file may say beside the fields: the version; a block says which one it is."""
    if cls.versioned():
        schema["properties"][VERSION_KEY] = {"type": "integer", "maximum": cls.schema_version}
    if "name" in cls.model_fields and must_say:
        schema["required"] = ["name", *schema.get("required", [])]


def _by_name(options: dict[str, str], default: str | None) -> dict[str, Any]:
    """The name first, then that one's own fields: a wrong key is told as such, not as no match of
    any."""
    return {
        "type": "object",
        "properties": {"name": {"enum": list(options)}},
        "required": [] if default else ["name"],
        "allOf": [
            {"if": _is_named(name, default), "then": {"$ref": ref}} for name, ref in options.items()
        ],
    }


def _is_named(name: str, default: str | None) -> dict[str, Any]:
    """A block without a name is the default one."""
    required = [] if name == default else ["name"]
    return {"type": "object", "properties": {"name": {"const": name}}, "required": required}


def _short_form(block: OneOf, host: PluginHost) -> dict[str, Any]:
    """A bare name; any text where a catch-all takes what is no registered name."""
    names = list(block.configs(host))
    if any(getattr(found, "catch_all", None) for found in host.registered(block.kind).values()):
        return {"type": "string", "examples": names}
    return {"enum": names}
