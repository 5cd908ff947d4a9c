"""What differs between operating systems, in one place: nothing else asks which one it runs on."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

STOPS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
"""Signals that ask a program to stop; Windows has Ctrl-Break, and SIGTERM for itself alone."""

_SEEKING = threading.Lock()
"""Where a file cannot be read from a place without going there."""

CAN_FORK = sys.platform.startswith("linux")
"""Elsewhere a child does not survive its parent's threads, or there is no fork."""

CAN_BE_ASKED = sys.platform != "win32"
"""A process can ask another one to stop, which hears it; on Windows it only ends it."""


def open_plain(path: Path) -> BinaryIO:
    """A file to read, and nothing that waits or never ends: a pipe, a device, or a link to one.

    Raises:
        OSError: it is no plain file, or cannot be opened.
    """
    patient = getattr(os, "O_NONBLOCK", 0)  # opening a pipe waits for its writer otherwise
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | patient)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"it is no plain file: {path}")
    return os.fdopen(handle, "rb")


def read_at(file: BinaryIO, size: int, start: int) -> bytes:
    """Up to `size` bytes from a place in an open file, whatever else reads it."""
    if hasattr(os, "pread"):
        return os.pread(file.fileno(), size, start)
    with _SEEKING:
        file.seek(start)
        return file.read(size)


def cache_folder() -> Path:
    """Where files of a user's own lie that can be made again."""
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA")
    else:
        home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "onlay"


def replace(fresh: Path, path: Path) -> None:
    """Rename over what is there; where a reader's open file forbids that, try for a second."""
    for _ in range(10 if sys.platform == "win32" else 0):
        try:
            os.replace(fresh, path)
            return
        except PermissionError:
            time.sleep(0.1)
    os.replace(fresh, path)


def flush_folder(folder: Path) -> None:
    """Let the names in a folder outlast a power cut, where a folder can be flushed."""
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot, and flush by themselves
        pass
    finally:
        os.close(handle)


def flush_c() -> None:
    """Let out what C code printed and its library still holds."""
    with suppress(Exception):
        import ctypes

        ctypes.CDLL("ucrtbase" if sys.platform == "win32" else None).fflush(None)


def alive(pid: int) -> bool:
    """Whether a process of this machine still runs; yes where that cannot be asked."""
    if sys.platform == "win32":
        return True  # there, asking by a signal would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def terminate(pid: int) -> None:
    """Ask a process of this machine to stop; one that is gone needs no asking."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)


def exit_code(child: int) -> int:
    """Wait for a child of this process and give its exit code, below 0 for a signal.

    Without a lock: a handler of signals may wait while the main program does.

    Raises:
        ChildProcessError: somebody has waited for it already.
    """
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def started() -> str:
    """Which start of which machine this is; nothing where the system does not tell."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ""


def mounts() -> str:
    """What Linux tells of its file systems (`mountinfo`); nothing elsewhere."""
    with suppress(OSError):
        path = Path("/proc/self/mountinfo")
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def largest_file() -> int | None:
    """Bytes that a file may have here, if the shell or a scheduler limits them."""
    if sys.platform == "win32":
        return None
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if soft == resource.RLIM_INFINITY else soft


def usable_cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reset_peak_memory() -> None:
    """Forget the peak; where that cannot be done it counts from the process's start."""
    if sys.platform.startswith("linux"):
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return


def peak_memory() -> int:
    """The largest resident size in bytes since `reset_peak_memory`."""
    status = Path("/proc/self/status")
    if sys.platform.startswith("linux") and status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    if sys.platform == "win32":
        import psutil  # comes with onlay-train, which alone asks

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forked(work: Callable[[], None]) -> int:
    """Run `work` in a copy of this process, which then ends at once; gives its number."""
    assert CAN_FORK
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(0)
    return child


def ended(child: int, seconds: float) -> bool:
    """Wait for a forked process; one that hangs is killed."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return True
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False
