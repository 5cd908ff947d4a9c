"""None"""

from __future__ import annotations

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner
from new_package import new
from packaging.requirements import Requirement

from onlay import PluginHost
from onlay.cli import main
from onlay.machine.system import CAN_FORK, forked
from onlay.scaffold import KINDS, Names
from onlay.testing import marks
from onlay.testing.said import refusal

MADE = {
    "method": ("MySway", "my_sway"),
    "backbone": ("narrow-net", "narrow_net"),
    "task": ("many_tags", "many_tags"),
    "dataset": ("onlay-shelf", "shelf"),
    "modality": ("Tides", "tides"),
    "exporter": ("flat-file", "flat_file"),
    "optimizer": ("SignSteps", "sign_steps"),
    "decoder": ("sum-of-maps", "sum_of_maps"),
}
"""The name given, in each spelling that is taken, and the name that is registered."""
SHOWN = Path(__file__).parents[3] / "docs" / "how-to" / "output" / "new.txt"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A package of each kind."""
    into = tmp_path_factory.mktemp("new")
    for kind, (given, _) in MADE.items():
        result = new(kind, given, "--into", into)
        assert result.exit_code == 0, result.output
    assert len(list(into.iterdir())) == len(MADE)  # nothing else is left behind
    return {kind: into / f"onlay-{name.replace('_', '-')}" for kind, (_, name) in MADE.items()}


@pytest.fixture(scope="module")
def site(folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them as an installer would leave them in one folder of the import path."""
    site = tmp_path_factory.mktemp("site")
    for folder in folders.values():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        shutil.copytree(folder / "src", site, dirs_exist_ok=True)
        info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        head = {"Metadata-Version": "2.1", "Name": project["name"], "Version": project["version"]}
        needs = [("Requires-Dist", each) for each in project["dependencies"]]
        lines = [f"{key}: {value}\n" for key, value in (*head.items(), *needs)]
        (info / "METADATA").write_text("".join(lines))
        points = [f"{k} = {v}\n" for k, v in project["entry-points"]["onlay"].items()]
        (info / "entry_points.txt").write_text("".join(["[onlay]\n", *points]))
    return site


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Put a folder on the import path for one test."""
    before = set(sys.modules)

    def prepend(folder: Path) -> None:
        monkeypatch.syspath_prepend(str(folder))
        importlib.invalidate_caches()

    yield prepend
    packages = {f"onlay_{name}" for _, name in MADE.values()} | {"plugin", "onlay_my_tilt"}
    for module in set(sys.modules) - before:
        if module.split(".")[0] in packages:
            del sys.modules[module]


def test_what_was_written_is_discovered(site: Path, importable: Callable[[Path], None]) -> None:
    importable(site)
    host = PluginHost.discover()
    for kind, (_, name) in MADE.items():
        descriptor, owner = host.find(kind, name), host.owner(kind, name)
        if kind not in ("modality", "exporter", "optimizer"):
            assert descriptor.config.model_fields["name"].default == name
        assert (owner.status, owner.name) == ("ok", name)
        does = {"method": "attach", "modality": "reader", "exporter": "export"}
        assert callable(host.load(kind, name, does.get(kind, "build")))


def test_its_own_tests_pass_as_they_are(
    folders: dict[str, Path], site: Path, tmp_path: Path
) -> None:
    """In a copy of this process, for another would import torch anew; without what takes seconds to
    compile, to export or to start, which is asked of our own methods and tasks."""
    for needed in ("torchmetrics", "onlay_image"):  # by the task's metrics, and for the modality
        pytest.importorskip(needed)
    if not CAN_FORK:
        pytest.skip("processes are forked, on Linux only")
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--import-mode=importlib"]
    options += ["-k", "not compiles and not exports and not exporters and not another_process"]
    options += [f"--rootdir={tmp_path}", *map(str, folders.values())]
    child = forked(partial(_tried, options, site, tmp_path / "said"))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said = (tmp_path / "said").read_text(encoding="utf-8")
    assert status == 0, said
    passed = re.search(r"(\d+) passed\b", said)
    assert passed is not None
    assert "skipped" not in said
    assert int(passed[1]) > 60  # a method alone is asked for nearly thirty things


def _tried(options: list[str], site: Path, said: Path) -> None:
    """A pytest of its own in this process, which ends with its status."""
    for number in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND | os.O_CREAT), number)
    sys.stdout, sys.stderr = (os.fdopen(n, "w", encoding="utf-8", closefd=False) for n in (1, 2))
    sys.path.insert(0, str(site))
    os.environ["PYTHONPATH"] = str(site)
    importlib.invalidate_caches()
    marks._everything.cache_clear()
    status = pytest.main(options)
    sys.stdout.flush()
    os._exit(status)


@pytest.mark.skipif(find_spec("ruff") is None, reason="ruff is not installed")
@pytest.mark.parametrize("name", ["k", "a_name_of_thirty_characters_000"])
def test_ruff_has_nothing_to_say_with_its_own_settings(name: str, tmp_path: Path) -> None:
    """Whatever the length of the name: lines that hold it are neither too long nor broken."""
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        assert new(kind, name, "--into", tmp_path / kind).exit_code == 0
    for what in (["check"], ["check", "--extend-select=I"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *what, "--no-cache", "."]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_no_name_of_the_templates_is_left(folders: dict[str, Path]) -> None:
    for kind, folder in folders.items():
        written = [*folder.glob("*.*"), *folder.rglob("*.py")]
        texts = [f"{path.relative_to(folder)}\n{path.read_text()}" for path in written]
        assert not re.search(rf"my[_-]?{kind}", "\n".join(texts), re.IGNORECASE)
        assert MADE[kind][1] in "\n".join(texts)


def test_it_asks_for_the_core_that_wrote_it(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
        requirement = Requirement(project["dependencies"][0])
        assert requirement.name == "onlay"
        assert requirement.specifier.contains(version("onlay"), prereleases=True)


def test_it_says_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, importable: Callable[[Path], None]
) -> None:
    """As the documentation shows it; the last command, which installs nothing, is tried."""
    monkeypatch.chdir(tmp_path)
    told = new("method", "my-tilt").stdout
    assert told == SHOWN.read_text(encoding="utf-8")
    found = re.fullmatch(r"  PYTHONPATH=(\S+) onlay (.+)", told.splitlines()[-1])
    assert found is not None
    importable(Path(found[1]).absolute())
    explained = CliRunner().invoke(main, found[2].split(), prog_name="onlay")
    assert "rank: int, > 0 (default 4)" in explained.stdout


def test_an_empty_folder_of_that_name_is_taken(tmp_path: Path) -> None:
    (tmp_path / "onlay-sway").mkdir()
    assert new("method", "sway", "--into", tmp_path).exit_code == 0
    assert (tmp_path / "onlay-sway" / "README.md").is_file()


def test_it_imports_no_torch() -> None:
    code = "import sys, onlay.cli.new; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- names


@pytest.mark.parametrize(
    ("given", "registered", "classes"),
    [
        ("my-method", "my_method", "MyMethod"),
        ("my_method", "my_method", "MyMethod"),
        ("MyMethod", "my_method", "MyMethod"),
        ("MY__METHOD_", "my_method", "MyMethod"),
        ("LoRA", "lora", "Lora"),
        ("LoRAPlus", "lora_plus", "LoraPlus"),
        ("IA3", "ia3", "Ia3"),
        ("vit-64", "vit_64", "Vit64"),
        ("onlay-tilt", "tilt", "Tilt"),
        ("onlay_tilt", "tilt", "Tilt"),
    ],
)
def test_spellings(given: str, registered: str, classes: str) -> None:
    names = Names.of(given)
    assert (names.registered, names.classes) == (registered, classes)
    assert names.distribution == f"onlay-{registered.replace('_', '-')}"
    assert names.package == f"onlay_{registered}"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("metod", "sway"), "no kind `metod` of plugin to write (have: `method`, `backbone`,"),
        (("metod", "sway"), "; did you mean `method`?"),
        (("method", "2fast"), "`2fast` cannot name a package: use letters, digits, `-` and `_`"),
        (("method", "onlay-2fast"), "`onlay-2fast` cannot name a package"),
        (("method", "a/b"), "`a/b` cannot name a package"),
        (("method", "größe"), "`größe` cannot name a package"),
        (("method", "lambda"), "`lambda` is a word of Python or YAML"),
        (("method", "None"), "`None` is a word of Python or YAML"),
        (("method", "null"), "`null` is a word of Python or YAML"),
        (("method", "arc"), "`arc` is a name of `onlay-arc`: choose another"),
        (("task", "arc"), "`arc` is a name of `onlay-arc`"),
        (("backbone", "point-bert"), "`point_bert` is a name of `onlay-pointcloud`"),
        (("method", "onlay"), "`onlay` is a name of `onlay`"),
        (("method", "bitfit"), "there is a method `bitfit` already, in `onlay "),
    ],
)
def test_a_name_that_cannot_be(given: tuple[str, str], sentence: str, tmp_path: Path) -> None:
    assert sentence in refusal(new(*given, "--into", tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_installed(
    site: Path, importable: Callable[[Path], None], tmp_path: Path
) -> None:
    importable(site)
    again = refusal(new("method", "my-sway", "--into", tmp_path))
    assert again.startswith("there is a method `my_sway` already, in `onlay-my-sway 0.1.0`")
    other = refusal(new("dataset", "my-sway", "--into", tmp_path))
    assert other.startswith("there is a plugin `my_sway` already, `onlay-my-sway 0.1.0`")
