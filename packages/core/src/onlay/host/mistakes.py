"""What goes wrong in a plugin's own code, in a sentence that names the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from onlay.errors import OnlayError, PluginError
from onlay.machine.guard import in_words

if TYPE_CHECKING:
    from onlay.host import PluginHost


@contextmanager
def mistakes_of(kind: str, name: str, host: PluginHost) -> Iterator[None]:
    """While a plugin reads or builds: what the files or the machine refuse (`OSError`,
    `MemoryError`) stays as it is, and names them better.

    Raises:
        PluginError: whatever else its code raises, `SystemExit` too; the failure is chained.
    """
    try:
        yield
    except (OnlayError, OSError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        owner = host.owner(kind, name)
        raise PluginError(
            f"{kind} `{name}` of plugin `{owner}` failed: {in_words(error)}"
        ) from error
