"""The classes that a file itself says its points have, for pages.

Shapes: N points that were shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from onlay.errors import DataError
from onlay.inspecting import Observation
from onlay_pointcloud.data.columns import BY_NAME
from onlay_pointcloud.data.left_out import LeftOut
from onlay_pointcloud.data.preprocess import Loader
from onlay_pointcloud.data.sampling import fixed

NOTHING = "no class"
"""Where a point has none."""


def true_classes(observation: Observation) -> Sequence[str]:
    """The name (N,) of each point's class; empty where the file has none, or other ones than the
    model learnt."""
    facts = observation.preprocessing
    if "class_values" not in facts or "scenes" in facts:
        return ()
    loader = Loader(facts, LeftOut.silent(), label=facts.get("label") or BY_NAME)
    try:
        rows = loader.measured(observation.source)
        cloud = loader.prepared(rows[:, :-1], f"`{observation.source}`")
    except DataError:
        return ()
    names = {value: name for name, own in facts["class_values"].items() for value in own}
    names |= dict.fromkeys([-1, *facts.get("void_values", ())], NOTHING)
    shown = rows[fixed(cloud[:, :3], facts["npoints"]).numpy(), -1].tolist()
    return [names[value] for value in shown] if set(shown) <= names.keys() else ()
