"""Labels of data with several targets, under the target's name: `mask/road`, `depth/depth`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

BETWEEN = "/"


def joined_labels(labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Those of all targets.

    >>> joined_labels({"mask": ["road", "sky"], "depth": ["depth"]})
    ('mask/road', 'mask/sky', 'depth/depth')
    """
    return tuple(f"{name}{BETWEEN}{label}" for name, own in labels.items() for label in own)


def labels_of(joined: Sequence[str], name: str) -> tuple[str, ...]:
    """Those of one target.

    >>> labels_of(("mask/road", "mask/sky", "depth/depth"), "mask")
    ('road', 'sky')
    """
    start = name + BETWEEN
    return tuple(label.removeprefix(start) for label in joined if label.startswith(start))


def targets_in(joined: Sequence[str]) -> tuple[str, ...]:
    """The names of all targets.

    >>> targets_in(("mask/road", "mask/sky", "depth/depth"))
    ('mask', 'depth')
    """
    return tuple(dict.fromkeys(label.partition(BETWEEN)[0] for label in joined))
