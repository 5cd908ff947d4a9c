"""Plugins of one hook or more, as an entry point would name them."""

from __future__ import annotations

from types import ModuleType

from pydantic import create_model

from onlay import hookimpl
from onlay.descriptors import Method
from onlay.settings import Config


def method(name, **more):
    config = create_model(f"{name}Config", __base__=Config, name=(str, name))
    given = {"config": config, "attach": "nowhere:attach", "summary": "a test's own"}
    return Method(name=name, **given | more)


def plugin(**functions):
    """A module of hook implementations, as an entry point would name it."""
    module = ModuleType("in_memory")
    for name, function in functions.items():
        setattr(module, name, hookimpl(function))
    return module


def methods(*names):
    def register_methods():
        yield from (method(name) for name in names)

    return register_methods


# --- guards


def raises():
    raise RuntimeError("the cat is on the keyboard")
