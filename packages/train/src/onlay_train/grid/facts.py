"""What only the files tell: which data and which weights a cell is about.

They are read once for each backbone and each data set of a grid, in a process of its own, and kept
in `facts.json`; a grid in which nothing is left to do does not read them again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onlay.machine.disk import write_text
from onlay.machine.guard import in_words
from onlay_train.folder import as_before
from onlay_train.grid.identity import digest
from onlay_train.grid.trivial import ENDING, Trivial, trivial_fact

if TYPE_CHECKING:
    from onlay.config.run import RunConfig
    from onlay.host import PluginHost

FAILED = "failed: "
"""How the fact of data or weights begins that cannot be read, before the reason."""
VARIES = ".test_varies"
"""Ends the name of the fact that another `data.split_seed` has another test part."""
NO_VALIDATION = ".no_validation"
"""Ends the name of the fact that there is no part to choose on."""


def keys_of(config: RunConfig) -> dict[str, str]:
    """Under which names the facts of a cell are kept: `backbone` and `data`."""
    return keys_in(config.model_dump(mode="json"))


def keys_in(dump: Mapping[str, Any]) -> dict[str, str]:
    """The same of a resolved run as plain data."""
    seen = seen_in(dump)
    return {"backbone": digest(seen[0]), "data": digest(seen)}


def seen_in(dump: Mapping[str, Any]) -> list[Any]:
    """What of a run its data and its backbone depend on; the backbone first."""
    blocks = [*map(as_before(dump).__getitem__, ("backbone", "data", "task", "fold"))]
    return [*blocks, dump["train"]["seed"]]


def facts_in(dump: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Digest of the data and fingerprint of the backbone of a resolved run, as far as they are
    known."""
    return {what: known[key] for what, key in keys_in(dump).items() if key in known}


def known_all(config: RunConfig, known: Mapping[str, str]) -> bool:
    """Whether data and backbone of a run were read."""
    return all(key in known for key in keys_of(config).values())


def test_varies(dump: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    """Whether the data of a resolved run have another test part for another `data.split_seed`, as
    far as they were read."""
    return keys_in(dump)["data"] + VARIES in known


def lacks_validation(dump: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    """Whether the data of a resolved run have no part to choose on, as far as they were read."""
    return keys_in(dump)["data"] + NO_VALIDATION in known


def lacks_trivial(dump: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    """Whether the data of a resolved run were read, and nobody asked what is reached on them
    without training."""
    key = keys_in(dump)["data"]
    read = key in known and not known[key].startswith(FAILED)
    return read and Trivial.read(known, key) is None


def read_facts(path: Path) -> dict[str, str]:
    """What an earlier start found; nothing where the file is not there or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in found.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def write_facts(path: Path, known: Mapping[str, str]) -> None:
    write_text(path, json.dumps(dict(sorted(known.items())), indent=1) + "\n")


def survey(
    dumps: Sequence[Mapping[str, Any]], plugins: Iterable[str], trivial: bool = False
) -> dict[str, str]:
    """The facts of resolved runs, read from weights and data; what cannot be read says why. With
    `trivial` also what is reached on them without training.

    Runs in a process that may import torch.
    """
    from onlay.config import resolve
    from onlay.host import PluginHost

    host = PluginHost.discover(files=[Path(file) for file in plugins])
    found: dict[str, str] = {}
    built: dict[str, Any] = {}
    reached: dict[str, str] | None = {} if trivial else None
    for config in (resolve(dump, (), host) for dump in dumps):
        keys = keys_of(config)
        if keys["backbone"] not in found:
            found[keys["backbone"]] = _fingerprint(config, host, built, keys["backbone"])
        if keys["data"] not in found:
            found |= _of_data(config, host, built.get(keys["backbone"]), keys["data"], reached)
    return found


def _fingerprint(config: RunConfig, host: PluginHost, built: dict[str, Any], key: str) -> str:
    from onlay.bundle.fingerprint import fingerprint
    from onlay.model.assemble import build_backbone
    from onlay_train.seeding import seed_all

    try:
        seed_all(0)  # weights that nothing was loaded into are drawn
        built[key] = build_backbone(config.backbone, host)
        return fingerprint(built[key].anatomy.trunk())
    except Exception as error:  # a plugin's fault ends its own cells, where it is said again
        return f"{FAILED}{in_words(error)}"


def _of_data(
    config: RunConfig,
    host: PluginHost,
    backbone: Any,
    key: str,
    reached: dict[str, str] | None = None,
) -> dict[str, str]:
    """Their digest, and what is reached on them without training, once for seeds that split them
    alike."""
    from onlay.model.splits import read_splits

    if backbone is None:
        return {key: f"{FAILED}the backbone cannot be built"}
    try:
        splits = read_splits(config, backbone.input_spec, host)
    except Exception as error:
        return {key: f"{FAILED}{in_words(error)}"}
    more = {key + VARIES: "yes"} if splits.facts.get("test_varies") else {}
    more |= {key + NO_VALIDATION: "yes"} if splits.validation is None else {}
    if reached is None:
        return {key: splits.digest, **more}
    seen = seen_in(config.model_dump(mode="json"))[:-1]
    same = digest([splits.digest or key, seen, config.train.evaluate_test])
    if same not in reached:
        reached[same] = json.dumps(trivial_fact(config, splits, backbone, host))
    return {key: splits.digest, key + ENDING: reached[same], **more}
