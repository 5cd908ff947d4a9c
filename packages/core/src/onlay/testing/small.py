"""The small backbones that methods and tasks are checked on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping

from onlay.anatomy import BuiltBackbone
from onlay.config import parse
from onlay.descriptors import Method, Task
from onlay.errors import AnatomyError
from onlay.host import PluginHost
from onlay.host.fit import check_fit
from onlay.model.assemble import build_backbone
from onlay.testing.points import tiny_points
from onlay.testing.pyramid import tiny_pyramid
from onlay.testing.tiny import tiny_backbone

TINY: Mapping[str, Callable[[], BuiltBackbone]] = {
    "a tiny ViT": tiny_backbone,
    "a tiny network for points": tiny_points,
    "a tiny pyramid": tiny_pyramid,
}

Small = tuple[str, Callable[[], BuiltBackbone]]
"""A backbone in words, and what makes a fresh one."""


def small_backbones(wanted: Method | Task, host: PluginHost) -> list[Small]:
    """Those that fit: of the tiny ones, or where none does, of the installed plugins' examples."""
    tiny = [(label, make) for label, make in TINY.items() if fits(wanted, make())]
    return tiny or list(_installed(wanted, host))


def _installed(wanted: Method | Task, host: PluginHost) -> Iterator[Small]:
    for backbone in host.backbones.values():
        for settings in backbone.examples:
            config = parse("backbone", {"name": backbone.name, **settings}, host)
            built = build_backbone(config, host)
            if fits(wanted, built):
                yield f"`{built.label}`", lambda built=built: copy.deepcopy(built)


def fits(wanted: Method | Task, built: BuiltBackbone) -> bool:
    """Whether the backbone provides what is needed."""
    try:
        check_fit(wanted, built.anatomy.provides, built.anatomy.unfit, built.label)
    except AnatomyError:
        return False
    return True
