"""What the documentation says about installed packages, made from those packages.

A line `<!-- fields: method arc -->` in a page becomes the table of that configuration's fields;
`PARTS` has the other kinds of line. mkdocs calls `on_page_markdown` for every page.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import click
import zoo_pages
from tables import table

from onlay import PluginHost, errors
from onlay.config.explain import explained
from onlay.descriptors import resolve
from onlay.errors import OnlayError
from onlay.host.firstparty import install
from onlay.settings import Config

NOUNS = {"dataset": "data set"}
LINE = re.compile(r"^<!-- (\w+):? ?(.*?) -->$", re.MULTILINE)
NAMES = (
    r" \(and \d+ more\)$",
    r"^`\w+` cannot be merged at `[\w.]+`: ",
    r"^method `\w+` ",
    r", and `[^`]*` provides( `\w+`,?)+",
)
"""What reasons in the matrix say of one method, site or backbone."""
FEW = 3
"""Methods that do otherwise than a table shows, which are named instead of showing another."""
README = Path(__file__).parents[1] / "README.md"
MATRIX = Path(__file__).parent / "reference" / "matrix.json"
HOST = PluginHost.discover()


def on_page_markdown(markdown: str, **facts: Any) -> str:
    """The page with every line that asks for a part replaced by it."""
    return LINE.sub(lambda found: part(found[1], found[2].split()), markdown)


def part(name: str, words: list[str]) -> str:
    """One generated part, as Markdown; fails for a part or a name that there is not."""
    return "\n".join(PARTS[name](*words))


def fields(kind: str, name: str = "") -> Iterator[str]:
    """The fields of a registered configuration, or of `run`, `train` and `bundle`."""
    found = explained(config_class(kind, name))
    yield from table(
        ("field", "type", "default", "meaning"),
        (
            (f"`{f.name}`", f.type, default(f.default), f.description)
            for f in found
            if not (kind == "run" and f.name.startswith("train."))  # a table of its own
        ),
    )


def default(text: str) -> str:
    """As a run file would say it: a block of defaults alone is its name."""
    block = re.match(r'\{"name": "(\w+)"', text)
    return f"`{block[1]}`" if block else text if text == "required" else f"`{text}`"


def config_class(kind: str, name: str) -> type[Config]:
    from onlay.bundle.manifest import Manifest
    from onlay.config.run import RunConfig
    from onlay.config.train import TrainConfig

    own: dict[str, type[Config]] = {"run": RunConfig, "train": TrainConfig, "bundle": Manifest}
    if kind in ("grid", "search", "recipes", "report"):
        from onlay_train.grid import file

        own |= {"grid": file.GridConfig, "search": file.SearchConfig, "report": file.ReportConfig}
        own |= {"recipes": file.RecipesConfig}
    return own[kind] if kind in own else HOST.find(kind, name).config


def names(kind: str) -> Iterator[str]:
    """Every registered name of a kind, what it is, and what brings it."""
    rows = HOST.registered(kind).items()
    yield from table(
        ("name", "what it is", "comes with"),
        ((f"`{n}`", d.summary, f"`{HOST.owner(kind, n).distribution}`") for n, d in rows),
    )


def presets(method: str, *begin: str) -> Iterator[str]:
    """A method's named recipes, or those whose names begin so: what they share, and a column for
    each value in which they differ."""
    found = HOST.find("method", method).presets.items()
    recipes = {n: dict(flat(values)) for n, values in found if n.startswith(begin or ("",))}
    for recipe in recipes.values():
        recipe.pop("modality", None)  # no key of a run: what the preset is for
    keys = list(dict.fromkeys(key for recipe in recipes.values() for key in recipe))
    shared = [k for k in keys if len({repr(r.get(k)) for r in recipes.values()}) == 1]
    first = next(iter(recipes.values()))
    if shared:
        yield "All set " + ", ".join(f"`{k}={json.dumps(first[k])}`" for k in shared) + ".\n"
    differing = [key for key in keys if key not in shared]
    yield from table(
        ("preset", *(f"`{key}`" for key in differing)),
        (
            (f"`{n}`", *(json.dumps(r.get(k, "")).strip('"') for k in differing))
            for n, r in recipes.items()
        ),
    )


def citation(method: str) -> Iterator[str]:
    """Whom to cite for a method, with its number as a link and where to get BibTeX."""
    text = HOST.find("method", method).citation
    yield "> " + zoo_pages.ARXIV.sub(r"[arXiv:\1](https://arxiv.org/abs/\1)", text)
    if number := zoo_pages.ARXIV.search(text):
        yield f">\n> [BibTeX of the preprint](https://arxiv.org/bibtex/{number[1]})"


def command(name: str) -> Iterator[str]:
    """Usage, description, options and subcommands of a command of `onlay`."""
    yield from usage(resolve(HOST.find("command", name).command), f"onlay {name}")


def usage(what: click.Command, path: str) -> Iterator[str]:
    context = click.Context(what, info_name=path, show_default=True)
    yield f"```text\n{' '.join([path, *what.collect_usage_pieces(context)])}\n```"
    yield from ("", inspect.cleandoc(what.help or ""), "")
    options = [p.get_help_record(context) for p in what.params if isinstance(p, click.Option)]
    if options:
        rows = ((f"`{record[0]}`", record[1]) for record in options if record)
        yield from (*table(("option", "effect"), rows), "")
    for name, sub in getattr(what, "commands", {}).items():
        yield from usage(sub, f"{path} {name}")


def contracts() -> Iterator[str]:
    """Every check of `onlay.testing`, with its docstring, in the groups of the modules."""
    from onlay.testing.suites import SUITES

    for kind, suite in SUITES.items():
        noun = NOUNS.get(kind, kind)
        yield f"## The contract of {'an' if noun[0] in 'aeiou' else 'a'} {noun}\n"
        for module, checks in groupby(suite.checks, key=lambda c: c.function.__module__):
            yield f"**{one_line(import_module(module).__doc__).rstrip('.')}**\n"
            yield from table(("check", "contract"), ((f"`{c.name}`", c.contract) for c in checks))
            yield ""


Outcomes = dict[str, dict[str, Any]]


def matrix(task: str) -> Iterator[str]:
    """Which method works on which family of backbones for a task, and the reasons where not.

    A family that refuses the task refuses it for every method; where all others are as in the first
    table, that is said instead of shown again.
    """
    tasks: dict[str, dict[str, Outcomes]] = json.loads(MATRIX.read_text())
    first, own = next(iter(tasks)), tasks[task]
    refused = {family: reason for family, o in own.items() if (reason := of_all(o))}
    met_by = {family: o for family, o in own.items() if family not in refused}
    others = unlike(met_by, tasks[first])
    if task != first and len(others) <= FEW:
        yield f"On {listed(met_by)}: as for {first}.\n"
        yield from (f"`{m}` on {listed(on)}: no. {why}.\n" for m, (why, on) in others.items())
    else:
        yield from cells(met_by)
    if refused:
        yield f"On {listed(refused)}: no. {next(iter(refused.values()))}.\n"


def unlike(
    families: dict[str, Outcomes], shown: dict[str, Outcomes]
) -> dict[str, tuple[str, list[str]]]:
    """The methods that do otherwise than is shown: why, and on which families."""
    found: dict[str, tuple[str, list[str]]] = {}
    for family, outcomes in families.items():
        for method, outcome in outcomes.items():
            if outcome != shown[family][method]:
                found.setdefault(method, (outcome["reason"], []))[1].append(family)
    return found


def of_all(outcomes: Outcomes) -> str:
    """The reason for which every method is refused, if that is one."""
    reasons = {"" if o["works"] else o["reason"] for o in outcomes.values()}
    return reasons.pop() if len(reasons) == 1 else ""


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def cells(families: dict[str, Outcomes]) -> Iterator[str]:
    """A table of methods and families, of which those that are alike share a column."""
    methods = list(next(iter(families.values())))
    reasons: dict[str, str] = {}
    columns: dict[tuple[str, ...], list[str]] = {}
    for family, outcomes in families.items():
        column = tuple(met(outcomes[method], reasons) for method in methods)
        columns.setdefault(column, []).append(f"`{family}`")
    head = ("method", *("<br>".join(alike) for alike in columns.values()))
    yield from table(head, zip((f"`{method}`" for method in methods), *columns, strict=True))
    yield ""
    yield from (f"{number}. {reason}" for number, reason in enumerate(reasons.values(), 1))


def met(outcome: dict[str, Any], reasons: dict[str, str]) -> str:
    """A cell of the matrix; reasons that differ in the names of methods, blocks or backbones are
    one."""
    if outcome.get("reason") is None:
        return "merges"
    reason = outcome["reason"]
    for name in NAMES:
        reason = re.sub(name, "", reason)
    alike = re.sub(r"`[\w.]*[.\d][\w.]*`", "", reason)
    reasons.setdefault(alike, reason)
    return f"{'works' if outcome['works'] else 'no'} <sup>{list(reasons).index(alike) + 1}</sup>"


def documented(*names: str) -> Iterator[str]:
    """What mkdocstrings says of objects below `onlay` (`hooks.config_resolved`), one by one."""
    for name in names:
        yield f"::: onlay.{name}\n    options:\n      heading_level: 3"
        yield "      show_root_full_path: false\n"


def failures() -> Iterator[str]:
    """Every error that a user can cause."""
    kinds = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, OnlayError)]
    rows = ((f"`{e.__name__}`", parents(e), one_line(e.__doc__)) for e in kinds)
    yield from table(("error", "is also", "raised for"), rows)


def parents(error: type[BaseException]) -> str:
    return ", ".join(f"`{base.__name__}`" for base in error.__bases__)


def to_install(*names: str) -> Iterator[str]:
    """How one gets distributions of ours."""
    yield f"To install it, {install(*names)}."


def readme(*heading: str) -> Iterator[str]:
    """A section of README, with its links as they are from the site's home."""
    text = README.read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(' '.join(heading))}\n(.*?)^## ", text, re.M | re.S)
    assert found is not None, f"README has no section `{' '.join(heading)}`"
    yield found[1].replace("](docs/", "](").strip()


def flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def one_line(text: str | None) -> str:
    return " ".join((text or "").split())


PARTS: dict[str, Callable[..., Iterable[str]]] = {
    "fields": fields,
    "names": names,
    "presets": presets,
    "citation": citation,
    "command": command,
    "contracts": contracts,
    "errors": failures,
    "documented": documented,
    "matrix": matrix,
    "acts": zoo_pages.acts,
    "zoo": lambda: zoo_pages.kinds(HOST),
    "counts": lambda: zoo_pages.counts(HOST),
    "papers": lambda: zoo_pages.papers(HOST),
    "install": to_install,
    "readme": readme,
}
