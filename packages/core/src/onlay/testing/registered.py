"""What every registered thing says of itself before anything is built."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from onlay.config import parse
from onlay.config.explain import explained
from onlay.host import PluginHost
from onlay.settings import Config
from onlay.testing.checking import require

_ALL = """
import sys
from onlay import PluginHost
from onlay.descriptors import resolve
host = PluginHost.discover()
for kind in ("method", "backbone", "task", "dataset", "decoder", "executor"):
    for name, registered in host.registered(kind).items():
        for settings in getattr(registered, "examples", ()):
            given = {"name": name, **settings}
            config = registered.config.model_validate(given, context={"host": host})
            if kind == "method":
                registered.promised(config, frozenset())
                registered.refused(config, frozenset())
            if kind == "backbone":
                resolve(registered.provides)(config)
        registered.config.model_fields
from pathlib import Path
for registered in host.protocols.values():
    for answer in filter(None, (registered.grid, registered.missing)):
        resolve(answer)(Path("nowhere"))
for registered in host.optimizers.values():
    for settings in registered.examples if registered.settings else ():
        resolve(registered.settings).model_validate(settings)
print(", ".join({"torch", "timm", "peft", "transformers"} & set(sys.modules)))
"""

_PROBE = """
import json, sys
from onlay import PluginHost
from onlay.descriptors import resolve
kind, name, settings = sys.argv[1:]
host = PluginHost.discover()
registered = host.find(kind, name)
if kind == "optimizer":
    if registered.settings:
        resolve(registered.settings).model_validate(json.loads(settings))
elif kind == "protocol":
    from pathlib import Path
    for answer in filter(None, (registered.grid, registered.missing)):
        resolve(answer)(Path("nowhere"))
else:
    given = {"name": name, **json.loads(settings)}
    config = registered.config.model_validate(given, context={"host": host})
if kind == "method":
    registered.promised(config, frozenset())
    registered.refused(config, frozenset())
if kind == "backbone":
    resolve(registered.provides)(config)
print(", ".join({"torch", "timm", "peft", "transformers"} & set(sys.modules)))
"""


def in_words(name: str, settings: Mapping[str, Any]) -> str:
    """A registered thing with its settings, for a message."""
    chosen = ", ".join(f"{key}={value!r}" for key, value in settings.items())
    return f"`{name}` ({chosen or 'defaults'})"


def not_installed(kind: str, name: str, host: PluginHost) -> str:
    """Why another process does not list it, if so: only what is installed is listed by every
    command."""
    source = host.owner(kind, name).source
    installed = not source.endswith(".py") and all(p.isidentifier() for p in source.split("."))
    return "" if installed else "the plugin is a file or an object, and not installed"


def listing_imports_no_torch(kind: str, name: str, settings: Mapping[str, Any]) -> None:
    """Read its settings, and what it says of them, in a fresh process; where all that is installed
    passes together, nothing is asked for alone."""
    if _all_import_no_torch():
        return
    command = [sys.executable, "-c", _PROBE, kind, name, json.dumps(settings, default=str)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    require(found.returncode == 0, f"listing fails: {found.stderr.strip().splitlines()[-1:]}")
    require(not found.stdout.strip(), f"listing imports {found.stdout.strip()}")


@lru_cache
def _all_import_no_torch() -> bool:
    found = subprocess.run(
        [sys.executable, "-c", _ALL], capture_output=True, text=True, check=False
    )
    return found.returncode == 0 and not found.stdout.strip()


def settings_round_trip(kind: str, config: Config, host: PluginHost) -> None:
    """Read back what was written as JSON."""
    dumped = json.loads(config.model_dump_json())
    again = parse(kind, dumped, host)
    require(again == config, f"{dumped} is read back as {again!r}")


def settings_are_described(config: Config) -> None:
    """Look for fields without a description."""
    bare = [field.name for field in explained(type(config)) if not field.description]
    require(not bare, f"no docstring under {', '.join(f'`{name}`' for name in bare)}")
