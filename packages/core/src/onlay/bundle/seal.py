"""What `adapter_config.json` may hold, and the hash that covers it.

JSON as the standard has it and no more: names once, finite numbers, few levels.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from onlay.errors import BundleError
from onlay.machine.system import open_plain

KEY = "sha256"
LARGEST = 64 * 2**20
"""Bytes; a hundred thousand labels take five million."""
DEEPEST = 32


def sha256_of(data: Mapping[str, Any]) -> str:
    """SHA-256 of everything but the hash itself, as JSON with sorted keys and no blanks."""
    covered = {key: value for key, value in data.items() if key != KEY}
    text = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        BundleError: it is no plain file, too large, or not such JSON.
    """
    try:
        with open_plain(path) as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST // 2**20} MiB")
        return _parsed(content.decode("utf-8"))
    except RecursionError as error:
        raise BundleError(f"`{path}` cannot be read as JSON: it is nested too deeply") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"`{path}` cannot be read as JSON: {_words(error)}") from error


def _parsed(text: str) -> Any:
    data = json.loads(
        text,
        object_pairs_hook=_once,
        parse_constant=_no_constant,
        parse_float=_finite,
        parse_int=_whole,
    )
    json.dumps(data, ensure_ascii=False).encode("utf-8")  # half a surrogate pair is no text
    if _depth(data) > DEEPEST:
        raise RecursionError
    return data


def _words(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "it is no UTF-8 text"
    if isinstance(error, OSError):
        return error.strerror or "it is no plain file"
    return str(error)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"`{next(n for n in names if names.count(n) > 1)}` is there twice")
    return found


def _no_constant(word: str) -> float:
    raise ValueError(f"`{word}` is no number of JSON")


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _whole(text: str) -> int:
    if len(text) > 20 or abs(number := int(text)) >= 2**63:
        raise ValueError(f"the number {text[:20]}... is too large")
    return number


def _depth(data: Any) -> int:
    level, depth = [data], 0
    while level:
        inner = [list(d.values()) if isinstance(d, dict) else d for d in level]
        level = [v for values in inner if isinstance(values, list) for v in values]
        depth += 1
    return depth
