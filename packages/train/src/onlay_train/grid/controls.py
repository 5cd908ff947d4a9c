"""Rows that every comparison needs to be read by: the frozen probe, full fine-tuning, a small
network from scratch, low-rank updates of equal size, dense adapters, and no training at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from onlay.config.run import BLOCKS
from onlay.errors import ConfigError, OnlayError

if TYPE_CHECKING:
    from onlay.host import PluginHost
    from onlay_train.grid.file import GridConfig

Control = Literal["linear", "full", "scratch", "lora", "adaptformer", "trivial"]
TRAINED = ("linear", "full", "scratch", "lora", "adaptformer")
HOME = "method"
"""The axis beside whose values controls stand."""
SCRATCH = {"name": "full", "start": "random"}
POOL = "mean+max"
"""What heads for an input as a whole read of a network without a class token."""


def rows(grid: GridConfig, host: PluginHost) -> Iterator[tuple[Control, str, dict[str, Any]]]:
    """Control, label and piece of a run file of each that is trained.

    Raises:
        ConfigError: the grid has no axis `method`, or nothing installed brings the control.
    """
    if not grid.controls:
        return
    if HOME not in grid.grid:
        raise ConfigError(
            f"controls: they stand beside the values of the axis `{HOME}`, and the grid has"
            f" {', '.join(f'`{axis}`' for axis in grid.grid)}"
        )
    for control in dict.fromkeys(grid.controls):
        if control in TRAINED:
            yield control, *_row(control, grid, host)


def _row(control: Control, grid: GridConfig, host: PluginHost) -> tuple[str, dict[str, Any]]:
    if control == "scratch":
        return _scratch(grid, host)
    if control not in host.methods:
        raise ConfigError(f"controls: `{control}` needs the method of that name: {_how(control)}")
    if control != "lora":
        return control, {"method": control}
    size = _compared(grid)
    rank = {"rank": {"as_large_as": size}} if size is not None else {}
    label = f"lora as {_name(size)}" if size is not None else "lora"
    return label, {"method": {"name": "lora", **rank}}


def _scratch(grid: GridConfig, host: PluginHost) -> tuple[str, dict[str, Any]]:
    """The network of the modality that the grid's data have, for the same inputs, trained whole."""
    block = _backbone(grid, host)
    known = host.backbones.get(str(_name(block)))
    modality = known.modality if known else None
    found = [b for b in host.backbones.values() if b.scratch and b.modality == modality]
    if not found:
        raise ConfigError(
            "controls: `scratch` needs a small network without pretraining for"
            f" {f'`{modality}` data' if modality else 'the data of this grid'}, and no plugin"
            " brings one"
        )
    name, fields = found[0].name, found[0].config.model_fields
    same = {key: value for key, value in block.items() if key in fields and key != "name"}
    piece: dict[str, Any] = {"backbone": {"name": name, **same}, "method": SCRATCH}
    return f"{name} from scratch", piece | _pool(grid, host)


def _pool(grid: GridConfig, host: PluginHost) -> dict[str, Any]:
    task = str(_name(grid.base.get("task")) or BLOCKS["task"].default)
    try:
        pools = "pool" in host.find("task", task).config.model_fields
    except OnlayError:  # said where a cell is resolved
        pools = False
    return {"task": {"pool": POOL}} if pools else {}


def _backbone(grid: GridConfig, host: PluginHost) -> dict[str, Any]:
    """The first that the grid names, as a block."""
    named = grid.grid.get("backbone") or [grid.base.get("backbone")]
    first: Any = next(iter(named.values() if isinstance(named, Mapping) else named))
    block = first.get("backbone", first) if isinstance(named, Mapping) else first
    return dict(BLOCKS["backbone"].widened(block, host)) if block else {}


def _compared(grid: GridConfig) -> Any:
    """The first method that is no control itself."""
    values = grid.grid[HOME]
    blocks = (
        [v.get("method") for v in values.values()] if isinstance(values, Mapping) else list(values)
    )
    return next((b for b in blocks if b is not None and _name(b) not in TRAINED), None)


def _how(control: str) -> str:
    from onlay.host.firstparty import distribution_of, install

    owner = distribution_of("method", control)
    return install(owner) if owner else "no plugin brings it"


def _name(block: Any) -> Any:
    return block.get("name") if isinstance(block, Mapping) else block
