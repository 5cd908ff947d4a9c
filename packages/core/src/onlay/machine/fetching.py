"""Downloads from a model hub: without the hub's own lines of HTTP, and at once where there is no
network."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit
from urllib.request import getproxies

RETRIES = ("thrown while requesting", "Retrying in", "Retry ")


@contextmanager
def quiet_hub() -> Iterator[None]:
    """Inside, a hub that does not answer is told in one line, and no network means the cache
    alone."""
    from huggingface_hub import constants

    before, told = constants.HF_HUB_OFFLINE, _Told()
    logger = logging.getLogger("huggingface_hub.utils._http")
    logger.addFilter(told)
    constants.HF_HUB_OFFLINE = before or not _reachable(constants.ENDPOINT)
    try:
        yield
    finally:
        logger.removeFilter(told)
        constants.HF_HUB_OFFLINE = before


def why(error: Exception) -> str:
    """What a hub's error means, in words.

    >>> why(TimeoutError())
    'the hub does not answer'
    """
    from huggingface_hub import errors

    for kinds, words in (
        (
            errors.GatedRepoError,
            "it is gated: ask for access there and log in",
        ),
        (errors.RepositoryNotFoundError, "the hub has no such repository, or it is private"),
        (errors.RevisionNotFoundError, "the repository has no such revision"),
        (errors.LocalEntryNotFoundError, "the hub does not answer and nothing is in the cache"),
        (errors.EntryNotFoundError, "the repository has no such file"),
        (errors.HFValidationError, "that is no name of a repository, `user/name`"),
        (errors.OfflineModeIsEnabled, "`HF_HUB_OFFLINE` is set or there is no network"),
        (errors.HfHubHTTPError, "the hub refuses"),
        ((ConnectionError, TimeoutError), "the hub does not answer"),
    ):
        if isinstance(error, kinds):
            return words
    return f"`{type(error).__name__}`"


class _Told(logging.Filter):
    """Lets no retry through, and says once that there are some."""

    said = False

    def filter(self, record: logging.LogRecord) -> bool:
        if not any(words in record.getMessage() for words in RETRIES):
            return True
        if not self.said:
            print("the model hub does not answer; trying again", file=sys.stderr)
        self.said = True
        return False


def _reachable(endpoint: str) -> bool:
    """Whether the hub's name has an address; behind a proxy nobody can tell."""
    host = urlsplit(endpoint).hostname
    if host is None or getproxies():
        return True
    try:
        socket.getaddrinfo(host, 443)
    except OSError:
        return False
    return True
