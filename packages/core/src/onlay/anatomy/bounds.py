"""Settings that a backbone is too small for."""

from __future__ import annotations

from onlay.errors import ConfigError


def refuse_wider(setting: str, value: int, width: int) -> None:
    """A bottleneck is no wider than the tokens that go through it.

    Raises:
        ConfigError: it is; `setting` is its name in a run (`method.rank`).
    """
    if value > width:
        raise ConfigError(
            f"`{setting}` {value} is more than the {width} numbers of a token, and no bottleneck;"
            f" take {width} or less"
        )
