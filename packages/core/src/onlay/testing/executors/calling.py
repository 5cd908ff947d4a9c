"""What becomes of calls that an executor is handed."""

from __future__ import annotations

from typing import Any

from onlay.machine.system import CAN_BE_ASKED
from onlay.testing.checking import require
from onlay.testing.executors.calls import SAID
from onlay.testing.executors.case import ExecutorCase
from onlay.testing.executors.scheduling import GIVEN, PATIENCE, Seen
from onlay.testing.registered import not_installed


def not_found_there(case: ExecutorCase) -> str:
    """Another process finds what is installed, and plugin files."""
    is_file = case.source.endswith(".py")
    return "" if is_file else not_installed("executor", case.executor.name, case.host)


def no_jobs(case: ExecutorCase) -> str:
    has = "jobs" in type(case.config).model_fields
    return not_found_there(case) if has else "its settings have no `jobs`"


def cannot_be_asked(case: ExecutorCase) -> str:
    return not_found_there(case) if CAN_BE_ASKED else "no process can be asked to stop here"


def check_builds_without_torch(case: ExecutorCase) -> None:
    """`build` gives a `concurrent.futures.Executor`, and imports neither torch nor a library of
    networks into the process that schedules."""
    seen = case.seen()
    require(not seen.heavy, f"building it imports {', '.join(seen.heavy)}")


def check_gives_back_plain_data(case: ExecutorCase) -> None:
    """A function is called with plain data as it was handed over, in the folder in which the
    comparison was started, and what it gives is the result of its future."""
    seen = case.seen()
    found = _gave(seen, "first")
    require(found["given"] == GIVEN, f"handed over was {GIVEN}, and {found['given']} came back")
    require(
        found["folder"] == seen.folder,
        f"a call runs in `{found['folder']}`, and paths are relative to `{seen.folder}`",
    )


def check_each_call_has_a_process_of_its_own(case: ExecutorCase) -> None:
    """A call runs in the main thread of a process that nothing else runs in: signals, memory and
    output are its own."""
    seen = case.seen()
    first = _gave(seen, "first")
    require(first["process"] != seen.process, "a call runs in the process that schedules")
    require(first["main"], "a call runs in a thread beside the main one, which hears no signals")
    second = seen.ended["second"].get("gave")
    alike = second is not None and second["process"] == first["process"]
    require(not alike, "two calls run in one process")


def check_begins_each_call_once(case: ExecutorCase) -> None:
    """A call is begun once, one whose process dies or that fails, too: whether a cell is begun anew
    is for the comparison to say."""
    often = {name: count for name, count in case.seen().begun.items() if count > 1}
    require(not often, ", ".join(f"the call `{n}` is begun {c} times" for n, c in often.items()))


def check_a_killed_call_ends_alone(case: ExecutorCase) -> None:
    """A call whose process is killed has an exception of its own, and other calls come to their
    ends."""
    seen = case.seen()
    end = seen.ended.get("dies", {})
    require(end.get("raised"), f"a call whose process is killed {_in_words(end)}")
    for name in ("first", "second"):
        _gave(seen, name)


def check_hands_on_failures(case: ExecutorCase) -> None:
    """An `OnlayError` that a call raises is the exception of its future, in the same words."""
    end = case.seen().ended.get("fails", {})
    require("raised" in end, f"a call that fails {_in_words(end)}")
    told = end["known"] and SAID in end["raised"]
    require(told, f"a call said {SAID!r}, and its future {end['raised']!r}")


def check_keeps_to_its_jobs(case: ExecutorCase) -> None:
    """With `jobs` 1, as `onlay compare --jobs 1` sets it, no two calls run at a time."""
    seen = case.seen()
    first, second = sorted(
        (_gave(seen, name) for name in ("first", "second")), key=lambda call: call["began"]
    )
    require(first["ended"] <= second["began"], "with `jobs` 1 two calls run at a time")


def check_stops_when_asked(case: ExecutorCase) -> None:
    """`shutdown(cancel_futures=True)` asks what runs to stop (SIGTERM), waits until it has, and
    begins nothing more."""
    seen = case.seen()
    require(seen.begun.get("waits"), "a call that waits to be stopped is not begun")
    require(seen.returned, f"`shutdown` does not come back within {PATIENCE:.0f} seconds")
    require(seen.stopped, "a call that ran was not asked to stop, or nobody waited for its end")
    behind = "jobs" in type(case.config).model_fields and "behind" in seen.begun
    require(not behind, "a call that had not begun is begun all the same")


def _gave(seen: Seen, name: str) -> dict[str, Any]:
    end = seen.ended.get(name, {})
    require(isinstance(end.get("gave"), dict), f"the call `{name}` {_in_words(end)}")
    return end["gave"]


def _in_words(end: dict[str, Any]) -> str:
    if "gave" in end:
        return f"gives {end['gave']!r}"
    if "raised" in end:
        return f"raises {end['raised']!r}"
    return f"comes to no end within {PATIENCE:.0f} seconds"
