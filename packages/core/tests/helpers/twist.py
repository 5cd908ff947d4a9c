"""A method and commands that the tests of the command line make up."""

from __future__ import annotations

import sys
from typing import Literal

import click

from onlay.descriptors import Command, Method
from onlay.errors import RunError
from onlay.settings import Config


class TwistConfig(Config):
    """A twist."""

    name: Literal["twist"] = "twist"
    """This method."""
    rank: int = 3
    """How far."""


def register_methods():
    yield Method(
        name="twist",
        config=TwistConfig,
        attach="nowhere:attach",
        summary="twists",
        needs=frozenset({"grid"}),
        refuses={"hierarchical": "its widths differ"},
        presets={
            "soft": {"method": {"rank": 1}, "train": {"lr": 0.5}},
            "flat": {"modality": "image", "method": {"rank": 2}},
        },
        citation="A. Uthor: Twists. 2026.",
        dynamic="the angle",
    )


def register_commands():
    for name in ("refuse", "crash", "interrupt", "hello", "read_long", "read_ours"):
        yield Command(name=name, command=f"fake_commands:{name}", summary=f"{name} something")


@click.command()
def refuse():
    raise RunError("the disk is full")


@click.command()
def crash():
    raise ZeroDivisionError("ours")


@click.command()
def interrupt():
    raise KeyboardInterrupt


@click.command()
def read_long():
    open("a" * 300).close()


@click.command()
def read_ours():
    open(f"{sys.prefix}/nothing").close()


@click.command()
@click.pass_obj
def hello(host):
    click.echo(", ".join(host.methods))
