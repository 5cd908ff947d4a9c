"""Stops that come at a bad moment, and places that do not answer for a moment."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from onlay_train import lease
from onlay_train.grid.executors import local, ray, slurm
from onlay_train.grid.executors.config import LocalConfig
from onlay_train.grid.executors.ending import Killed


def test_a_stop_reaches_a_process_that_is_being_started(monkeypatch):
    """The first one waits for what imports torch."""
    begun, may, stopped = threading.Event(), threading.Event(), threading.Event()

    class Process:
        exitcode = -15

        def __init__(self, **named) -> None: ...

        def start(self) -> None:
            begun.set()
            assert may.wait(20)

        def terminate(self) -> None:
            stopped.set()

        def join(self) -> None: ...

    def receive() -> None:
        assert stopped.wait(20)
        raise EOFError

    pipe = SimpleNamespace(recv=receive, close=lambda: None)
    context = SimpleNamespace(Pipe=lambda: (pipe, pipe), Process=Process)
    monkeypatch.setattr(local, "_warm", lambda: context)
    executor = local.LocalExecutor(LocalConfig(jobs=1))
    running, waiting = executor.submit(print), executor.submit(print)
    assert begun.wait(20)
    stop = threading.Thread(target=executor.shutdown, kwargs={"cancel_futures": True})
    stop.start()
    while not executor._closed:
        time.sleep(0.01)
    may.set()
    stop.join(20)
    assert not stop.is_alive()
    assert isinstance(running.exception(), Killed)
    assert waiting.cancelled()


def test_threads_are_those_that_are_asked_for(monkeypatch):
    """By the grid, else by the environment, else each cell has its share of the cores."""
    monkeypatch.setattr(local, "_warm", lambda: None)
    monkeypatch.setattr(local, "usable_cores", lambda: 8)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert local.LocalExecutor(LocalConfig(jobs=2, threads=1)).threads == 1
    assert local.LocalExecutor(LocalConfig(jobs=2)).threads == 3
    for nothing in ("", "0", "2,3"):
        monkeypatch.setenv("OMP_NUM_THREADS", nothing)
        assert local.LocalExecutor(LocalConfig(jobs=2)).threads == 4


def test_a_call_that_runs_out_of_time_itself_ends(monkeypatch, tmp_path):
    """`OSError(ETIMEDOUT)` is a `TimeoutError`, and no sign that one should look again."""
    ended: Future[None] = Future()
    ended.set_exception(TimeoutError("the file server"))
    monkeypatch.setattr(ray, "_slot", lambda threads: SimpleNamespace(submit=lambda *a: ended))
    monkeypatch.setattr(ray, "_check", lambda wanted, folder: None)
    with pytest.raises(TimeoutError, match="the file server"):
        ray.in_worker({}, os.getcwd(), 1, print, (), {})


def test_what_waits_for_a_free_place_is_not_begun_while_all_is_stopped(monkeypatch):
    """A task that is taken back frees a thread, which would begin the next."""
    begun, cancelled = [], []

    class Ray:
        exceptions = SimpleNamespace(RayError=RuntimeError)

        def is_initialized(self) -> bool:
            return True

        def remote(self, **room):
            return lambda call: SimpleNamespace(remote=self.begin)

        def begin(self, *given):
            begun.append(threading.Event())
            return begun[-1]

        def get(self, task):
            assert task.wait(20)
            raise RuntimeError("taken back")

        def cancel(self, task) -> None:
            cancelled.append(task)
            task.set()

    monkeypatch.setattr(ray, "needed", lambda *names: Ray())
    monkeypatch.setattr(ray, "_in_our_words", lambda error: Killed(str(error)))
    executor = ray.RayExecutor(ray.RayConfig(name="ray", jobs=2))
    calls = [executor.submit(print) for _ in range(20)]
    while len(begun) < 2:
        time.sleep(0.01)
    executor.shutdown(cancel_futures=True)
    assert len(begun) == len(cancelled) == 2
    assert sum(call.cancelled() for call in calls) == 18


@pytest.fixture
def keeper():
    """An executor of Slurm without its thread."""
    made = object.__new__(slurm.SlurmExecutor)
    made.slurm, made.folder = True, "jobs"
    return made


def test_an_answer_that_cannot_be_read_for_a_moment_is_read_at_the_next_look(
    keeper, monkeypatch, tmp_path
):
    job = SimpleNamespace(file=tmp_path / "a", answer=tmp_path / "b")
    handed, answers = slurm.Handed(job, Future()), [OSError(116, "Stale file handle"), "done"]

    def read(path):
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    monkeypatch.setattr(slurm, "read_answer", read)
    assert not keeper._answered(handed)
    assert keeper._answered(handed)
    assert handed.future.result() == "done"
    never = slurm.Handed(job, Future())
    answers += [OSError(116, "Stale file handle")] * slurm._TROUBLES
    assert sum(not keeper._answered(never) for _ in range(slurm._TROUBLES)) == slurm._TROUBLES - 1
    assert "Stale file handle" in str(never.future.exception())


@pytest.mark.parametrize(
    ("state", "over"),
    [("SUSPENDED", False), ("CANCELLED by 1000", True), ("OUT_OF_MEMORY", True), ("", False)],
)
def test_a_job_that_may_come_back_has_not_ended(keeper, state, over):
    watcher = SimpleNamespace(is_done=lambda name: True, get_state=lambda name: state)
    assert keeper._over(SimpleNamespace(watcher=watcher, job_id="7")) == over


def test_who_lost_its_folder_writes_nothing_more(monkeypatch, tmp_path):
    ended = threading.Event()
    monkeypatch.setattr(lease, "_BEAT", 0.01)
    monkeypatch.setattr(lease.os, "_exit", lambda code: ended.set())
    own = lease.Lease(tmp_path)
    assert own.take(locked=False)
    (tmp_path / lease.LEASE).write_text('{"own": "another start"}')
    assert ended.wait(20)
    own.release()
    assert (tmp_path / lease.LEASE).exists()
