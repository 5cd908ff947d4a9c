"""Commands that only list things must not import torch: it alone takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    *("torch", "timm", "accelerate", "sklearn", "matplotlib", "PIL", "huggingface_hub"),
    *("numba", "h5py", "trimesh", "laspy", "lzf", "plotly"),
)

PROBE = """
import json, sys
sys.argv = ["onlay", *json.loads(sys.argv[1])]
from onlay.cli import main
try:
    main()
except SystemExit as stop:
    code = stop.code or 0
print("\\n" + json.dumps([code, [name for name in {heavy} if name in sys.modules]]))
"""


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["plugins"],
        ["plugins", "--json"],
        ["schema"],
        ["explain", "full"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(args):
    probe = PROBE.format(heavy=HEAVY)
    command = [sys.executable, "-c", probe, json.dumps(args)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, imported = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    assert imported == []


def test_every_module_that_registers_is_light():
    """The modules behind the entry points, imported alone."""
    code = (
        "import sys; from importlib.metadata import entry_points\n"
        "for point in entry_points(group='onlay'): point.load()\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
