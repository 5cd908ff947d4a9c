"""What a method says of itself before anything is built."""

from __future__ import annotations

import json
import subprocess
import sys

from inlay.config import parse
from inlay.config.explain import explained
from inlay.testing.case import MethodCase
from inlay.testing.checking import require

_PROBE = """
import json, sys
from inlay import PluginHost
method = PluginHost.discover().find("method", sys.argv[1])
config = method.config.model_validate({"name": sys.argv[1], **json.loads(sys.argv[2])})
method.promised(config, frozenset())
print(", ".join({"torch", "timm", "peft", "transformers"} & set(sys.modules)))
"""


def from_a_file(case: MethodCase) -> str:
    """Only what is installed is listed by every command."""
    source = case.host.owner("method", case.method.name).source
    return "the plugin is a file or an object, and not installed" if not _installed(source) else ""


def _installed(source: str) -> bool:
    return all(part.isidentifier() for part in source.split("."))


def check_registering_imports_no_torch(case: MethodCase) -> None:
    """Listing the method, its settings and its traits imports neither torch nor a library of
    networks."""
    settings = json.dumps(case.settings)
    command = [sys.executable, "-c", _PROBE, case.method.name, settings]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    require(found.returncode == 0, f"listing fails: {found.stderr.strip().splitlines()[-1:]}")
    require(not found.stdout.strip(), f"listing imports {found.stdout.strip()}")


def check_settings_round_trip(case: MethodCase) -> None:
    """Settings written as JSON are read back as the same settings."""
    dumped = json.loads(case.config.model_dump_json())
    again = parse("method", dumped, case.host)
    require(again == case.config, f"{dumped} is read back as {again!r}")


def check_settings_are_described(case: MethodCase) -> None:
    """Every setting has a description: the docstring under its field."""
    bare = [field.name for field in explained(type(case.config)) if not field.description]
    require(not bare, f"no docstring under {', '.join(f'`{name}`' for name in bare)}")
