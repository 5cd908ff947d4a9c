"""What `train.opt_kwargs` takes; imports no torch."""

from pydantic import PositiveFloat

from onlay.settings import Config


class SamConfig(Config):
    """AdamW by the gradient at the worst place nearby."""

    rho: PositiveFloat = 0.05
    """How far from the weights that place is."""

    adaptive: bool = False
    """Measure the way in units of each weight's own size (ASAM); wants a `rho` ten times larger."""
