"""What a user can do wrong, each as one sentence; the command line exits with status 2."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class OnlayError(Exception):
    """Base of every error that a user can cause and mend; its text is one sentence."""


class ConfigError(OnlayError, ValueError):
    """A configuration, override or command-line value that cannot be used."""


class UnknownName(OnlayError, LookupError):
    """A name that no installed plugin registers."""

    told = ""
    """What somebody else knows of the name: which plugin does it, and how it is asked for."""


class PluginError(OnlayError, RuntimeError):
    """A run needs a plugin that is broken or incompatible; the cause is chained."""


class AnatomyError(OnlayError, ValueError):
    """A method asks a backbone for something that it does not have, or an adapter is not alive."""


class CannotFold(OnlayError, ValueError):
    """An adapter piece that cannot be merged into frozen weights, with the reason."""


class DataError(OnlayError, ValueError):
    """Data that cannot be read or does not fit; the text names the file."""


class BundleError(OnlayError, ValueError):
    """A bundle or checkpoint that is truncated, foreign, changed, or made for something else."""


class RunError(OnlayError, RuntimeError):
    """A run that cannot start or go on; the last good checkpoint is kept."""


class DivergedError(RunError):
    """A loss or a trained tensor that is no longer finite."""


def unknown(kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownName:
    """The one way in which an unknown name is reported: what there is, and the hint or the near
    miss.

    >>> str(unknown("method", "arcc", ["arc", "full"]))
    'no method `arcc` is installed (have: arc, full); did you mean `arc`?'
    """
    known = sorted(known)
    text = f"no {kind} `{name}` is installed (have: {', '.join(known) or 'none'})"
    near = get_close_matches(name, known, n=1)
    if hint:
        text += f"; {hint}"
    elif near:
        text += f"; did you mean `{near[0]}`?"
    return UnknownName(text)
