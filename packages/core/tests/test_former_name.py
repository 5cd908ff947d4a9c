"""The product had another name before its first release: on the package index that one is somebody
else's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FORMER = b"in" + b"lay"


def test_no_tracked_file_speaks_of_the_former_name() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    names = [Path(name.decode()) for name in listed.stdout.split(b"\0") if name]
    assert names
    assert [name for name in names if FORMER.decode() in str(name).lower()] == []
    contents = {name: (ROOT / name).read_bytes() for name in names if (ROOT / name).is_file()}
    counted = {name: content.lower().count(FORMER) for name, content in contents.items()}
    assert {str(name): n for name, n in counted.items() if n} == {"CHANGELOG.md": 1}
