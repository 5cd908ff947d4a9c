"""Cells as jobs of Slurm: with submitit's own processes, and with commands of a cluster that the
test writes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import jobs
import psutil
import pytest

from onlay_train.grid.executors import slurm
from onlay_train.grid.executors.config import SlurmConfig
from onlay_train.grid.executors.ending import Killed, Refused, needed

HELPERS = str(Path(jobs.__file__).parent)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands that say what a cluster says: two jobs an array, a partition that is closed, and a
    first job that had too little memory."""
    pytest.importorskip("submitit")
    folder = tmp_path / "bin"
    folder.mkdir()
    said = {
        "srun": "",
        "scancel": "",
        "scontrol": "echo 'MaxArraySize            = 2'",
        "sacct": "echo 'JobID|State|NodeList'; echo '7_0|OUT_OF_MEMORY|n1'",
        "sbatch": f"""grep -e --array -e --partition -e --account "$1" >> {folder}/asked
echo . >> {folder}/asked
if grep -q 'partition=closed' "$1"; then
  echo 'sbatch: error: invalid partition specified: closed' >&2
  echo 'sbatch: error: Batch job submission failed: Invalid partition name specified' >&2
  exit 1
fi
echo Submitted batch job 7""",
    }
    for name, text in said.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(slurm, "_LOOK", 0.02)
    monkeypatch.setattr(slurm, "_LATE", 0.0)
    return folder


def test_arrays_are_as_large_as_the_cluster_takes_and_a_job_without_an_answer_says_why(
    cluster: Path, tmp_path: Path
) -> None:
    config = SlurmConfig(partition="gpu", jobs=8, options={"account": "vision"})
    executor = slurm.SlurmExecutor(config, tmp_path / "jobs")
    first, second, third = (executor.submit(jobs.killed) for _ in range(3))
    with pytest.raises(Killed, match=r"`where.memory`") as caught:
        first.result(60)
    assert "its job 7_0 ended without an answer (OUT_OF_MEMORY): ask for more" in str(caught.value)
    assert not second.done()
    assert not third.done()
    wait_for(lambda: (cluster / "asked").read_text().count(".\n") == 2)
    asked = (cluster / "asked").read_text().split(".\n")
    assert "--array=0-1%2" in asked[0]
    assert "--account=vision" in asked[0]
    assert "--array" not in asked[1]
    assert "--partition=gpu" in asked[1]
    answers = [handed.job.answer for handed in executor._running]
    for answer in answers:  # the file counts, whatever the cluster says
        answer.write_text('{"gave": "done"}')
    assert second.result(60) == third.result(60) == "done"
    executor.shutdown()


def test_a_partition_that_is_refused_is_one_sentence(cluster: Path, tmp_path: Path) -> None:
    executor = slurm.SlurmExecutor(SlurmConfig(partition="closed"), tmp_path / "jobs")
    with pytest.raises(Refused) as caught:
        executor.submit(jobs.killed).result(60)
    executor.shutdown()
    said = (
        "Slurm refuses the jobs: invalid partition specified: closed; Batch job submission failed"
    )
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_told_with_what_brings_it(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(Refused) as caught:
        needed("no_such_library", "slurm")
    assert str(caught.value).startswith("`slurm` needs the package `no_such_library`: ")
    assert '"onlay-train[slurm]"' in str(caught.value)
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Refused, match="this machine has no `sbatch`; start where jobs are"):
        slurm.build(SlurmConfig(), tmp_path)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="clusters are no Windows machines")
def test_a_job_whose_time_is_over_goes_on_and_one_that_is_killed_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("submitit")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HELPERS, os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setattr(slurm, "_LOOK", 0.05)
    config = SlurmConfig(cluster="local", jobs=2, cpus=3)
    executor = slurm.SlurmExecutor(config, tmp_path / "jobs")
    long, short = executor.submit(jobs.goes_on, str(tmp_path)), executor.submit(jobs.killed)
    wait_for((tmp_path / "began").exists)
    (handed,) = (each for each in executor._running if each.future is long)
    (task,) = psutil.Process(int(handed.submitted.job_id)).children()
    task.send_signal(signal.SIGUSR2)  # as Slurm does before the end
    assert long.result(120) == "went on from SIGTERM, on 3 threads"
    with pytest.raises(Killed, match="killed \\(SIGKILL\\), as a system does that has no memory"):
        short.result(120)
    executor.shutdown()
    assert not list((tmp_path / "jobs").glob("*.json"))


def wait_for(true: Any, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
