"""The docstrings under a class's fields, so that `help()` shows them, too."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from typing import Any, TypeVar

Kind = TypeVar("Kind", bound=type)


class WithFields:
    """A class's docstring and, behind it, what stands under each of its fields.

    Read from the source when somebody asks, so that importing the class costs nothing.
    """

    def __init__(self, own: str) -> None:
        self.own = own

    def __get__(self, instance: Any, owner: type) -> str:
        try:
            told = list(described(owner))
        except (OSError, TypeError, SyntaxError):  # there is no source
            return self.own
        parts = [f"{name}\n{textwrap.indent(text, '    ')}" for name, text in told]
        return "\n\n".join([inspect.cleandoc(self.own), "Fields:", *parts])


def described(owner: type) -> Iterator[tuple[str, str]]:
    """The fields that have a docstring, and it, in the order of the source."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = below.value if isinstance(below, ast.Expr) else None
            if isinstance(text, ast.Constant) and isinstance(text.value, str):
                yield field.target.id, inspect.cleandoc(text.value)


def with_fields(owner: Kind) -> Kind:
    """Let `help(owner)` show the docstrings under its fields."""
    owner.__doc__ = WithFields(owner.__doc__ or "")  # type: ignore[assignment]
    return owner
