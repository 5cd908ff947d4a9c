"""A task's head, made by whichever plugin brings the task."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

from onlay.host.fit import check_fit

if TYPE_CHECKING:
    from onlay.anatomy import Anatomy
    from onlay.host.plugin_host import PluginHost
    from onlay.settings import Config


def head_of(
    config: Config, anatomy: Anatomy, labels: Sequence[str], host: PluginHost, label: str
) -> Any:
    """A fresh `onlay.task.TaskHead`; `label` is what the backbone is called.

    Raises:
        AnatomyError: the backbone lacks what the task needs.
    """
    task = host.find("task", config.name)
    check_fit(task, anatomy.provides, anatomy.unfit, label)
    build = host.load("task", task.name, "build")
    wanted = {"host": host} if "host" in signature(build).parameters else {}
    return build(config, anatomy, labels, **wanted)
