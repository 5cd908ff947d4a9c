"""A registered executor with one of its `examples`, and what it does with a few calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from tempfile import TemporaryDirectory
from typing import Any

from onlay.config import parse
from onlay.descriptors import Executor
from onlay.host import PluginHost
from onlay.settings import Config
from onlay.testing.beside import exchange
from onlay.testing.checking import Broken, NotAsked, require
from onlay.testing.executors.scheduling import GIVEN, Seen
from onlay.testing.registered import in_words


@dataclass(frozen=True, eq=False)
class ExecutorCase:
    """An example of an executor. All that it does it does once, in a process of its own, as a
    comparison is scheduled in one; checks look at what was seen."""

    host: PluginHost
    executor: Executor
    settings: Mapping[str, Any]

    def __str__(self) -> str:
        return in_words(self.executor.name, self.settings)

    @property
    def first(self) -> bool:
        """Whether these are the usual settings."""
        return self.settings == self.executor.examples[0]

    @cached_property
    def config(self) -> Config:
        return parse("executor", {"name": self.executor.name, **self.settings}, self.host)

    @property
    def source(self) -> str:
        """Where another process finds the plugin: a file, or a module that is installed."""
        return self.host.owner("executor", self.executor.name).source

    def seen(self) -> Seen:
        """What became of the calls.

        Raises:
            Broken: no executor is built.
            NotAsked: it needs a library that is not installed.
        """
        found = self._seen
        if found.get("missing"):
            raise NotAsked(found["missing"])
        require("failure" not in found, found.get("failure", ""))
        seen = Seen(**found)
        odd = f"`build` gives a `{seen.kind}`, and no `concurrent.futures.Executor`"
        require(not seen.kind, odd)
        return seen

    @cached_property
    def _seen(self) -> dict[str, Any]:
        with TemporaryDirectory() as folder:
            question = {
                "file": self.source if self.source.endswith(".py") else None,
                "name": self.executor.name,
                "settings": dict(self.settings),
                "folder": folder,
                "path": sys.path,
                "given": GIVEN,
            }
            try:
                return exchange("onlay.testing.executors.scheduling:answer", question)
            except Broken as error:  # for every check to say
                return {"failure": str(error)}


def executor_cases(name: str, host: PluginHost) -> list[ExecutorCase]:
    """One for each of its examples."""
    executor = host.find("executor", name)
    return [ExecutorCase(host, executor, settings) for settings in executor.examples]
