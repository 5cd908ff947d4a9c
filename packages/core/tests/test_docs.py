"""The reference is complete: every hook with its arguments, every registered name."""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from onlay import PluginHost, errors, hooks
from onlay.config import resolve
from onlay.config.files import read
from onlay.config.run import BLOCKS
from onlay.testing.suites import SUITES

DOCS = Path(__file__).parents[3] / "docs"
REFERENCE = DOCS / "reference"
YAML = re.compile(r"^( *)```yaml.*?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
RUN_FILES = [
    pytest.param(textwrap.dedent(block), id=f"{page.stem}-{number}")
    for page in sorted(DOCS.rglob("*.md"))
    for number, (_, block) in enumerate(YAML.findall(page.read_text(encoding="utf-8")))
    if "--8<--" not in block
] + [pytest.param((DOCS / "tutorial/output/run.yaml").read_text(), id="photographs")]
HOOKS = [name for name, hook in vars(hooks).items() if hasattr(hook, "onlay_spec")]


@pytest.fixture(scope="module")
def host() -> PluginHost:
    return PluginHost.discover()


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_arguments(name: str) -> None:
    page = (REFERENCE / "hooks.md").read_text(encoding="utf-8")
    row = re.search(rf"^\| `{name}` \| (.*?) ?\| ", page, re.MULTILINE)
    assert row is not None
    assert re.findall(r"`(\w+)`", row[1]) == list(
        inspect.signature(getattr(hooks, name)).parameters
    )
    assert f"<!-- documented: hooks.{name} -->" in page


@pytest.mark.parametrize("kind", [block.kind for block in BLOCKS.values()])
def test_every_registered_name_has_its_fields_in_the_reference(kind: str, host: PluginHost) -> None:
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    assert f"<!-- names: {kind} -->" in page
    for name in host.registered(kind):
        assert f"### {name}\n\n<!-- fields: {kind} {name} -->" in page


def test_every_preset_has_a_row_in_the_reference(host: PluginHost, generate: ModuleType) -> None:
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    for name, method in host.methods.items():
        lines = re.findall(rf"^<!-- presets: {name}\b.*-->$", page, re.MULTILINE)
        text = "\n".join(map(generate.on_page_markdown, lines))
        assert re.findall(r"^\| `([\w.-]+)` \|", text, re.MULTILINE) == list(method.presets)
        assert "modality" not in text  # what a preset is for, and no key of a run


def test_every_command_is_in_the_reference(host: PluginHost) -> None:
    page = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    assert host.commands
    for name in host.commands:
        assert f"## {name}\n\n<!-- command: {name} -->" in page


def test_a_table_has_a_row_for_each_field(generate: ModuleType) -> None:
    table = generate.on_page_markdown("before\n\n<!-- fields: task classification -->\n\nafter")
    assert table.startswith("before\n\n| field | type | default | meaning |\n|---|---|---|---|\n")
    assert "| `label_smoothing` | float, >= 0, < 1 | `0.0` | Share of the target" in table
    config = generate.config_class("task", "classification")
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert rows == [name for name in config.model_fields if name != "name"]


def test_a_bar_inside_a_cell_does_not_end_it(generate: ModuleType) -> None:
    row = list(generate.table(("a", "b"), [("x | y", "`[c|d]`")]))[-1]
    assert row == r"| x \| y | `[c|d]` |"


def test_usage_names_arguments_options_and_subcommands(generate: ModuleType) -> None:
    text = generate.part("command", ["plugins"])
    assert "onlay plugins [OPTIONS]" in text
    assert "| `--json` | Print JSON. |" in text
    assert "onlay plugins show [OPTIONS] NAME" in text


def test_every_error_has_a_row(generate: ModuleType) -> None:
    text = generate.part("errors", [])
    kinds = [e for e in vars(errors).values() if inspect.isclass(e) and issubclass(e, Exception)]
    assert kinds
    assert all(f"| `{kind.__name__}` |" in text for kind in kinds)


def test_every_check_stands_in_the_contracts_with_its_docstring(generate: ModuleType) -> None:
    text = generate.on_page_markdown((REFERENCE / "contracts.md").read_text(encoding="utf-8"))
    assert SUITES
    for kind, suite in SUITES.items():
        noun = kind.replace("dataset", "data set")
        _, rest = re.split(rf"^## The contract of an? {noun}\n", text, flags=re.MULTILINE)
        section = rest.partition("\n## ")[0]
        rows = re.findall(r"^\| `(check_\w+)` \| (.+) \|$", section, re.MULTILINE)
        docs = [(c.name, " ".join((c.function.__doc__ or "").split())) for c in suite.checks]
        assert rows == docs
        assert all(sentence.endswith(".") for _, sentence in rows)


def test_the_matrix_has_a_cell_for_every_outcome(generate: ModuleType) -> None:
    page = (REFERENCE / "matrix.md").read_text(encoding="utf-8")
    tasks = json.loads(generate.MATRIX.read_text(encoding="utf-8"))
    first = generate.part("matrix", [next(iter(tasks))])
    for task, families in tasks.items():
        assert f"<!-- matrix: {task} -->" in page
        text = generate.part("matrix", [task])
        for family, outcomes in families.items():
            same = re.search(rf"^On .*`{family}`.*: as for classification\.$", text, re.MULTILINE)
            cells = cells_of(first if same else text, family, list(outcomes))
            cells = [exception(text, family, m) or c for m, c in zip(outcomes, cells, strict=True)]
            for outcome, (cell, reason) in zip(outcomes.values(), cells, strict=True):
                merges = "merges" if outcome.get("merges") else "works"
                assert cell == (merges if outcome["works"] else "no")
                assert reason in outcome.get("reason", "")


def exception(text: str, family: str, method: str) -> tuple[str, str] | None:
    """What a page says of a method that does otherwise than others."""
    found = re.search(rf"^`{method}` on .*`{family}`.*: no\. (.*)\.$", text, re.MULTILINE)
    return found and ("no", found[1])


def cells_of(text: str, family: str, methods: list[str]) -> list[tuple[str, str]]:
    """What a page says of each method on a family: a word, and the end of its reason."""
    refused = re.search(rf"^On .*`{family}`.*: no\. .*: (.*)\.$", text, re.MULTILINE)
    if refused is not None:
        return [("no", refused[1])] * len(methods)
    head, _, *rows = (line.split("|") for line in text.splitlines() if line.startswith("|"))
    [column] = [i for i, cell in enumerate(head) if f"`{family}`" in cell]
    assert [row[1].strip() for row in rows] == [f"`{method}`" for method in methods]
    return [(row[column].split()[0], reason_of(row[column], text)) for row in rows]


def reason_of(cell: str, text: str) -> str:
    """The end of the sentence whose number a cell of the matrix has."""
    number = re.search(r"\d+", cell)
    if number is None:
        return ""
    found = re.search(rf"^{number[0]}\. (?:.*: )?(.*)$", text, re.MULTILINE)
    assert found is not None
    return found[1]


def test_an_unknown_part_or_name_fails_the_build(generate: ModuleType) -> None:
    with pytest.raises(KeyError):
        generate.on_page_markdown("<!-- feilds: train -->")
    with pytest.raises(errors.UnknownName):
        generate.on_page_markdown("<!-- fields: method arcc -->")


def test_no_formatter_took_an_inclusion_for_python() -> None:
    """ruff writes `--8 < --"file"` in a fence that begins with ```python; {.python} it leaves."""
    broken = re.compile(r"^ *-+8 ", re.MULTILINE)
    pages = sorted(DOCS.rglob("*.md"))
    assert pages
    assert not [page.name for page in pages if broken.search(page.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def with_examples() -> Iterator[PluginHost]:
    """Some run files name what an example of the documentation registers."""
    path = [*sys.path]
    yield PluginHost.discover(files=[DOCS / "examples" / "wrapped_executor.py"])
    sys.path[:] = path
    sys.modules.pop("wrapped_executor", None)


@pytest.mark.parametrize("text", RUN_FILES)
def test_every_run_file_in_the_documentation_is_valid(
    text: str, with_examples: PluginHost, tmp_path: Path
) -> None:
    host = with_examples
    needed = (
        *("image", "pointcloud", "arc", "dapt", "smoa", "iconformer", "peft"),
        *("baselines", "dyt", "cloud-methods"),
    )
    here = {record.distribution for record in host.plugins}
    if missing := [name for name in needed if f"onlay-{name}" not in here]:
        pytest.skip(f"needs {', '.join(missing)}")
    file = tmp_path / "run.yaml"
    file.write_text(text, encoding="utf-8")
    own = read(file)
    if {"grid", "where"} & own.keys():
        from onlay_train.grid.cells import drawn
        from onlay_train.grid.file import parsed

        rest = {"grid": {"method": ["linear"]}, "base": rest_of({}, host) | {"method": "full"}}
        assert drawn(parsed(rest | own, host), host).runs
        return
    config = resolve(rest_of(own, host) | own, [], host)
    assert config.out is not None


def rest_of(own: dict[str, Any], host: PluginHost) -> dict[str, str]:
    """What a piece of a run file leaves out, of the modality that it is about."""
    clouds = {"onlay_points", *(n for n, d in host.datasets.items() if d.modality == "points")}
    clouds |= {n for n, d in host.backbones.items() if d.modality == "points"}
    named = {b if isinstance(b, str) else b.get("name") for b in own.values() if b}
    if named & clouds:
        return {"backbone": "onlay_points", "method": "linear", "data": "shapes"}
    return {"backbone": "onlay_vit_64", "method": "linear", "data": "digits"}
