"""Settings of an optimizer's own, as its plugin describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from onlay.config.sentences import as_one_sentence
from onlay.config.train import TrainConfig, no_setting
from onlay.errors import ConfigError

if TYPE_CHECKING:
    from onlay.host import PluginHost


def settings_of(config: TrainConfig, host: PluginHost) -> Any:
    """`train.opt_kwargs`, as the optimizer's own class of settings if it has one.

    Raises:
        ConfigError: one of them cannot be used; names the place.
    """
    if not host.find("optimizer", config.opt).settings:
        if wrong := no_setting(config.opt_kwargs):
            raise ConfigError(f"`train.opt_kwargs`: {wrong}")
        return config.opt_kwargs
    try:
        return host.load("optimizer", config.opt, "settings").model_validate(config.opt_kwargs)
    except ValidationError as error:
        raise as_one_sentence(error, within="train.opt_kwargs") from error
