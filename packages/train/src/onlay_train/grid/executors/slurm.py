"""Cells as jobs of a Slurm cluster: arrays that submitit submits, answers that are files."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from onlay.errors import OnlayError
from onlay.machine.disk import writing
from onlay.machine.system import terminate
from onlay_train.grid.executors.config import SlurmConfig
from onlay_train.grid.executors.ending import Killed, Refused, needed
from onlay_train.grid.executors.job import Call, Job, read_answer

_LOOK = 0.5
"""Seconds between two looks; what is submitted within one becomes an array."""
_LATE = 10.0
"""Seconds for which the answer of a job that has ended may be on its way through a file system."""
_TROUBLES = 120
"""Looks in which an answer cannot be read, after which its call has failed: a minute."""
_FINAL = frozenset(
    {
        *("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL"),
        *("DEADLINE", "BOOT_FAIL", "PREEMPTED", "REVOKED"),
    }
)
"""States from which no job comes back; a suspended one does."""
_USUAL_ARRAY = 1001
"""`MaxArraySize` of a Slurm that was not told otherwise."""
_ADVICE = {"OUT_OF_MEMORY": "`where.memory`", "TIMEOUT": "`where.time` or `where.requeues`"}


@dataclass(eq=False)
class Handed:
    """A call that was handed over, and what became of it."""

    job: Job
    future: Future[Any]
    submitted: Any = None
    """The job of submitit, once there is one."""
    ended: float | None = None
    """When the cluster was first seen to have no such job any more."""
    troubles: int = 0
    """How often its answer could not be read, one look after the other."""


class SlurmExecutor(Executor):
    """Collects what is submitted into job arrays, and looks for answers."""

    def __init__(self, config: SlurmConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.slurm = config.cluster == "slurm"
        self.submitit = _submitit(config, folder)
        self.size = config.array or (_largest_array() if self.slurm else config.jobs)
        self._changed = threading.Condition()
        self._new: list[Handed] = []
        self._handing: list[Handed] = []
        """What is being submitted: the cluster may have it, and nobody knows its number yet."""
        self._running: list[Handed] = []
        self._closed = self._cancelled = False
        self._keeper = threading.Thread(target=self._keep, name="slurm", daemon=True)
        self._keeper.start()

    def submit(self, fn: Any, /, *args: Any, **named: Any) -> Future[Any]:
        """`fn(*args)` in a job.

        Raises:
            Refused: nobody looks after jobs any more.
        """
        if not self._keeper.is_alive():
            raise Refused("the thread that looks after Slurm's jobs has ended: start again")
        file = self.folder / f"{uuid4().hex}.json"
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        Call.of(fn, args, named).write(file)
        handed = Handed(Job(file, self.config.threads or self.config.cpus), Future())
        with self._changed:
            self._new.append(handed)
        return handed.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With `cancel_futures` jobs are taken back, and what runs is asked to stop."""
        with self._changed:
            self._closed = True
            if cancel_futures:
                self._cancelled = True
                for handed in self._new:
                    handed.future.cancel()
                self._new.clear()
        while wait and (self._new or self._handing or self._running):
            if cancel_futures:
                self._cancel()
            time.sleep(_LOOK)

    def _cancel(self) -> None:
        for handed in list(self._running):
            if not self.slurm:
                terminate(int(handed.submitted.job_id))
                continue
            with suppress(OSError):
                handed.submitted.cancel(check=False)

    def _keep(self) -> None:
        """In a thread, which may not end while somebody waits."""
        try:
            self._look()
        except Exception as error:
            for handed in [*self._new, *self._handing, *self._running]:
                if not handed.future.done():
                    handed.future.set_exception(error)
            self._new, self._handing, self._running, self._closed = [], [], [], True

    def _look(self) -> None:
        """Hand on what has waited for one look, and give answers."""
        waited = 0
        while not (self._closed and not self._new and not self._running):
            time.sleep(_LOOK)
            with self._changed:
                grown, waited = len(self._new) > waited, len(self._new)
            if waited and (not grown or waited >= self.size):
                self._hand_on()
                waited = len(self._new)
            self._running = [handed for handed in self._running if not self._answered(handed)]

    def _hand_on(self) -> None:
        """One array after the other; a cluster that takes no more now is asked again when jobs have
        ended."""
        room = len(self._new) if self.slurm else self.config.jobs - len(self._running)
        with self._changed:
            self._handing, self._new = self._new[:room], self._new[room:]
        while self._handing and not self._cancelled:
            part = self._handing[: self.size]
            error = self._array(part)
            if error is not None and self._running:
                with self._changed:
                    self._new = [*self._handing, *self._new]
                break
            for handed in part if error is not None else ():
                handed.future.set_exception(error)
            self._handing = self._handing[self.size :]
        for handed in self._handing if self._cancelled else ():
            handed.future.cancel()
        self._handing = []

    def _array(self, part: list[Handed]) -> Exception | None:
        """Submit one; gives why it was refused."""
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            jobs = self.submitit.submit_array([handed.job for handed in part])
        except (FailedJobError, FailedSubmissionError, OSError, ValueError) as error:
            return Refused(f"Slurm refuses the jobs: {_plain(str(error))}")
        for handed, job in zip(part, jobs, strict=True):
            handed.submitted = job
        self._running += part
        return None

    def _answered(self, handed: Handed) -> bool:
        """Whether the call has ended; its future then says how."""
        try:
            answer = read_answer(handed.job.answer)
        except FileNotFoundError:
            return self._lost(handed)
        except OnlayError as error:
            handed.future.set_exception(error)
        except (OSError, ValueError) as error:  # of a file system that is away for a moment
            handed.troubles += 1
            if handed.troubles < _TROUBLES:
                return False
            handed.future.set_exception(Killed(f"its answer cannot be read: {error}"))
        else:
            handed.future.set_result(answer)
        for path in (handed.job.file, handed.job.answer):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return True

    def _lost(self, handed: Handed) -> bool:
        """Whether the job has ended without an answer."""
        if not self._over(handed.submitted):
            handed.ended = None  # it may be queued again
            return False
        handed.ended = handed.ended or time.monotonic()
        if time.monotonic() - handed.ended < _LATE:
            return False
        state = _state(handed.submitted.state)
        if self.slurm:  # should it come back all the same, nobody waits for it
            with suppress(OSError):
                handed.submitted.cancel(check=False)
        more = f": ask for more with {_ADVICE[state]}" if state in _ADVICE else ""
        job = f"its job {handed.submitted.job_id} ended without an answer ({state}){more}"
        handed.future.set_exception(Killed(f"{job}; what it said is in `{self.folder}`"))
        return True

    def _over(self, job: Any) -> bool:
        """By the cluster's own word: submitit takes a job for done when its pickle is there."""
        if not self.slurm:
            return job.done()
        watcher, name = job.watcher, job.job_id
        return watcher.is_done(name) and _state(watcher.get_state(name)) in _FINAL


def _state(told: str) -> str:
    """`CANCELLED` of `CANCELLED by 1000`, and of `CANCELLED+`."""
    return (told.split() or [""])[0].rstrip("+").upper()


def build(config: SlurmConfig, folder: Path) -> Executor:
    """The executor of a cluster.

    Raises:
        Refused: submitit or Slurm is missing here.
    """
    return SlurmExecutor(config, folder)


def _submitit(config: SlurmConfig, folder: Path) -> Any:
    submitit = needed("submitit", "slurm")
    if config.cluster == "slurm" and not (shutil.which("srun") and shutil.which("sbatch")):
        raise Refused(
            "`where: {name: slurm}`: this machine has no `sbatch`; start where jobs are submitted,"
            " or try the grid out with `cluster: local`"
        )
    made = submitit.AutoExecutor(
        folder, cluster=config.cluster, slurm_max_num_timeout=config.requeues
    )
    made.update_parameters(**_parameters(config))
    return made


def _parameters(config: SlurmConfig) -> dict[str, Any]:
    options = dict(config.options)
    given = {
        "name": "onlay",
        "timeout_min": config.time,
        "gpus_per_node": config.gpus or None,
        "cpus_per_task": config.cpus,
        "mem_gb": config.memory,
        "slurm_partition": config.partition,
        "slurm_signal_delay_s": config.grace,
        "slurm_array_parallelism": config.jobs,
        "slurm_setup": list(config.setup) or None,
        "slurm_additional_parameters": options or None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _largest_array() -> int:
    """What the cluster takes; what a Slurm takes by itself where it does not say."""
    with suppress(OSError, subprocess.SubprocessError):
        asked = ["scontrol", "show", "config"]
        told = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True).stdout
        if found := re.search(r"MaxArraySize\s*=\s*(\d+)", told):
            return max(1, int(found[1]))
    return _USUAL_ARRAY


def _plain(said: str) -> str:
    """What `sbatch` said, without its name in front of each line."""
    lines = [re.sub(r"^sbatch: (error: )?", "", line.strip()) for line in said.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line)) or "no reason is given"
