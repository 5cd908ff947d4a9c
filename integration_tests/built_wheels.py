"""Build every wheel, install them into a fresh environment, run the integration tests against them.

`hatch run wheels:run`; arguments are handed to pytest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main(pytest_args: list[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        wheels, venv = Path(folder, "wheels"), Path(folder, "venv")
        run("hatch", "--env", "default", "build", "--all", "--target", "wheel", str(wheels))
        python = install(sorted(wheels.glob("*.whl")), venv)
        env = {**os.environ, "INLAY_EXPECT": "all", "INLAY_WHEELS": "1"}
        tests = [python, "-m", "pytest", "integration_tests", *pytest_args]
        return subprocess.run(tests, cwd=ROOT, env=env, check=False).returncode


def install(wheels: list[Path], venv: Path) -> str:
    """The Python of a new environment that holds the wheels and what the tests need."""
    python = str(venv / ("Scripts" if os.name == "nt" else "bin") / "python")
    run("uv", "venv", "--quiet", "--python", sys.executable, str(venv))
    run("uv", "pip", "install", "--quiet", "--python", python, "--group", "test", *map(str, wheels))
    return python


def run(*command: str) -> None:
    print("+", *command, flush=True)
    subprocess.run(command, cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
