"""Build every wheel, install sets of them into fresh environments, run the integration tests there.

`hatch run wheels:run --sets none,all`; what is not an option of this program is handed to pytest.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PARALLEL = ["--numprocesses=logical", "--dist=loadgroup"]
EXAMPLES = sorted((ROOT / "integration_tests").glob("*_plugin"))
SETS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("sets.toml").read_text())
PROJECTS = [
    tomllib.loads(path.read_text())["project"] for path in sorted(ROOT.glob("p*/*/pyproject.toml"))
]
SETS["all"] = [project["name"] for project in PROJECTS if project["name"] != "onlay"]


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS), help=f"of {', '.join(SETS)}")
    parser.add_argument(
        "--versions",
        choices=["lowest", "newest"],
        default="newest",
        help="of what the packages depend on: the lower bounds, or what the index has today",
    )
    options, pytest_args = parser.parse_known_args(words)
    sets = options.sets.split(",")
    if unknown := set(sets) - set(SETS):
        parser.error(f"no set {', '.join(sorted(unknown))} (have: {', '.join(SETS)})")
    with tempfile.TemporaryDirectory() as folder:
        wheels = build(Path(folder, "wheels"))
        codes = [
            test(name, options.versions, wheels, Path(folder, name), pytest_args) for name in sets
        ]
    return max(codes)


def build(folder: Path) -> dict[str, Path]:
    """The wheel of every distribution, the example plugins' too."""
    run("hatch", "--env", "default", "build", "--all", "--target", "wheel", str(folder))
    for example in EXAMPLES:
        run("uv", "build", "--quiet", "--wheel", "--out-dir", str(folder), str(example))
    return {path.name.split("-")[0].replace("_", "-"): path for path in folder.glob("*.whl")}


def test(
    name: str, versions: str, wheels: dict[str, Path], venv: Path, pytest_args: list[str]
) -> int:
    """Pytest's exit status in a new environment that holds the set and none of the sources."""
    print(f"\n--- set {name}, {versions} versions", flush=True)
    chosen = [str(wheels[distribution]) for distribution in ["onlay", *SETS[name]]]
    python = str(venv / ("Scripts" if os.name == "nt" else "bin") / "python")
    run("uv", "venv", "--quiet", "--python", interpreter(versions), str(venv))
    install = ["uv", "pip", "install", "--quiet", "--python", python, "--group", "test"]
    if versions == "lowest":
        bounds = venv / "lowest.txt"
        bounds.write_text("\n".join(lower_bounds()))
        install += ["--constraints", str(bounds)]
    run(*install, *chosen)
    env = os.environ | {"ONLAY_EXPECT": name, "ONLAY_VERSIONS": versions}
    env["ONLAY_WHEELS"] = str(wheels["onlay"].parent)
    tests = [python, "-m", "pytest", *PARALLEL, "integration_tests", *pytest_args]
    return subprocess.run(tests, cwd=ROOT, env=env, check=False).returncode


def interpreter(versions: str) -> str:
    """The oldest Python that the packages allow, or the one that `NEWEST_PYTHON` says, else the one
    that runs this."""
    if versions == "newest":
        return os.environ.get("NEWEST_PYTHON", sys.executable)
    return PROJECTS[0]["requires-python"].removeprefix(">=")


def lower_bounds() -> list[str]:
    """`torch==2.6` for every `torch>=2.6` that a package asks for."""
    asked = {Requirement(text) for project in PROJECTS for text in project["dependencies"]}
    return [
        f"{requirement.name}=={bound.version}"
        for requirement in asked
        for bound in requirement.specifier
        if bound.operator == ">=" and not requirement.name.startswith("onlay")
    ]


def run(*command: str) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
