"""Configuration files: YAML 1.2, where `1e-3` is a number and `no` is a word."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from onlay.errors import ConfigError
from onlay.machine.disk import prevented, write_text

LARGEST = 1 << 20
"""Bytes; a run is described in a few hundred, and a reader of YAML takes seconds for a megabyte."""


def read(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; a `ConfigError` names the file and, if it can, the line."""
    from ruamel.yaml.error import YAMLError

    try:
        if path.stat().st_size > LARGEST:
            raise ConfigError(
                f"`{path}` is larger than a configuration can be, {LARGEST >> 10} KiB"
            )
        data = _yaml().load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file `{path}`") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"`{path}` cannot be read: it is no UTF-8 text") from error
    except OSError as error:
        raise ConfigError(f"`{path}` cannot be read: {prevented(error)}") from error
    except (YAMLError, ValueError) as error:
        raise ConfigError(f"`{path}` is not valid YAML: {_where(error)}") from error
    except RecursionError as error:
        raise ConfigError(f"`{path}` is nested more deeply than a configuration can be") from error
    if data is None:
        return {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigError(f"`{path}` must hold `key: value` lines")
    return data


def listed(text: str) -> Any:
    """The list or mapping that a text is, written as in a file: `[r, g, b]`; else the text."""
    from ruamel.yaml.error import YAMLError

    if f"{text.strip()[:1]}{text.strip()[-1:]}" not in ("[]", "{}"):
        return text
    try:
        return _yaml().load(text)
    except (YAMLError, ValueError, RecursionError):
        return text


def write(path: Path, data: dict[str, Any], *, heading: str = "") -> None:
    """Replace the file in one step; `heading` becomes the comment on top."""
    comment = "".join(f"# {line}\n" for line in heading.splitlines())
    write_text(path, comment + as_text(data))


def as_text(data: dict[str, Any]) -> str:
    """YAML that `read` reads back."""
    text = StringIO()
    _yaml().dump(data, text)
    return text.getvalue()


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)  # the C parser reads YAML 1.1
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    return yaml


def _where(error: Any) -> str:
    problem = getattr(error, "problem", None) or str(error)
    mark = getattr(error, "problem_mark", None)
    text = " ".join(str(problem).split())
    return f"{text} (line {mark.line + 1}, column {mark.column + 1})" if mark else text
