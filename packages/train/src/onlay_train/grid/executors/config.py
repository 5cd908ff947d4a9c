"""Settings of the executors that `onlay-train` brings."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from onlay.settings import Config


class LocalConfig(Config):
    """Processes of this machine, one for each cell, so many at a time."""

    name: Literal["local"] = "local"

    jobs: PositiveInt = 1
    """Cells that are trained at a time; each has its share of the cores."""
    threads: PositiveInt | None = None
    """Threads of a cell; null: what `OMP_NUM_THREADS` says, else cores / jobs. Another number gives
    other bits."""


class SlurmConfig(Config):
    """Job arrays of a Slurm cluster, one job for each cell, submitted by submitit."""

    name: Literal["slurm"] = "slurm"

    partition: str | None = None
    """The partition; null: the cluster's own."""
    jobs: PositiveInt = 50
    """Cells of a job array that are trained at a time."""
    time: PositiveInt = 240
    """Minutes after which Slurm stops a job. It is queued again and goes on where it was."""
    grace: PositiveInt = 120
    """Seconds before that end at which a cell is asked to write its checkpoint."""
    requeues: NonNegativeInt = 20
    """How often a job whose time is over is queued again."""
    cpus: PositiveInt = 4
    """Cores of a job."""
    gpus: NonNegativeInt = 0
    """Accelerators of a job."""
    memory: PositiveFloat | None = None
    """Memory of a job in GB; null: what the cluster gives."""
    threads: PositiveInt | None = None
    """Threads of a cell; null: `cpus`. Another number gives other bits."""
    array: PositiveInt | None = None
    """Cells of one job array; null: as many as the cluster takes (`MaxArraySize`)."""
    setup: tuple[str, ...] = ()
    """Lines of shell before a job begins: `[module load cuda]`."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further options of `sbatch`, by their long names: `{account: vision, qos: low}`."""
    cluster: Literal["slurm", "local"] = "slurm"
    """`local`: the same jobs as processes of this machine, `jobs` of them at a time, to try a grid
    out."""


class RayConfig(Config):
    """A cluster of Ray, one task for each cell."""

    name: Literal["ray"] = "ray"

    address: str | None = None
    """Of a cluster that runs: `auto` (the one of this machine), `HOST:6379`, `ray://HOST:10001`;
    null: one of this machine's cores, gone afterwards."""
    jobs: PositiveInt = 64
    """Cells that are handed to Ray at a time; it trains as many of them as there is room for."""
    cpus: PositiveFloat = 1
    """Cores that Ray sets aside for a cell."""
    gpus: NonNegativeFloat = 0
    """Accelerators that Ray sets aside for a cell; 0.5: two cells share one."""
    memory: PositiveFloat | None = None
    """Memory in GB that Ray sets aside for a cell; null: none."""
    threads: PositiveInt | None = None
    """Threads of a cell; null: `cpus`. Another number gives other bits."""
    environment: dict[str, Any] = Field(default_factory=dict)
    """Ray's `runtime_env` for the workers: `{env_vars: {HF_HOME: /data/hub}}`."""
