"""What this package registers; imports neither torch nor Accelerate."""

from collections.abc import Iterable

from onlay import hookimpl
from onlay.descriptors import Tracker


@hookimpl
def register_trackers() -> Iterable[Tracker]:
    yield Tracker(
        name="sqlite",
        tracker="onlay_example_sqlite.tracker:Sqlite",
        summary="rows of `metrics.sqlite` in the run's folder",
    )
