"""A run in two processes, started as a user starts it: torch's launcher, which watches them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec

import pytest

pytestmark = pytest.mark.skipif(
    os.environ.get("ONLAY_EXPECT") != "all" or not find_spec("onlay_train"),
    reason="once is enough, in the set all",
)


def test_two_processes_leave_one_run(tiny_run, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    launch += ["--master-port", port, "-m", "onlay", *tiny_run, f"out={tmp_path / 'run'}"]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(launch, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 1/2") == 1
    records = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    # 30 samples: a step takes 2 processes x 4 samples
    assert [json.loads(record)["step"] for record in records] == [4, 8]
    assert (tmp_path / "run" / "bundle" / "adapter_config.json").is_file()
