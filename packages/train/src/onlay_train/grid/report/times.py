"""Whether times of cells can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onlay_train.grid.state import CellFolder


def times(done: Sequence[CellFolder]) -> Iterator[str]:
    """A sentence where cells ran on several machines, or with different numbers of threads."""
    begun = [[each for each in folder.attempted() if "began" in each] for folder in done]
    last = [attempts[-1] for attempts in begun if attempts]
    hosts = sorted({str(each["host"]) for each in last if each.get("host")})
    threads = sorted({int(each["threads"]) for each in last if each.get("threads")})
    told = [f"machines ({', '.join(hosts)})"] if len(hosts) > 1 else []
    told += [f"numbers of threads ({', '.join(map(str, threads))})"] if len(threads) > 1 else []
    if told:
        yield f"Cells ran on different {' and with different '.join(told)}: times do not compare."
