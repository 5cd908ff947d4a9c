"""The model hub in words: one line where it does not answer, none of its own."""

from __future__ import annotations

import logging
import socket

import pytest
from huggingface_hub import constants, errors

from onlay.machine.fetching import quiet_hub, why


def test_lines_of_http_become_one(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("huggingface_hub.utils._http")
    with quiet_hub(), caplog.at_level("WARNING", logger.name):
        for attempt in (1, 2):
            logger.warning("'[Errno -2]' thrown while requesting HEAD https://hub/x")
            logger.warning(f"Retrying in 1s [Retry {attempt}/5].")
        logger.warning("the token is about to expire")
    assert capsys.readouterr().err == "the model hub does not answer; trying again\n"
    assert [record.getMessage() for record in caplog.records] == ["the token is about to expire"]


def test_without_a_network_the_cache_alone_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_address(*args: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_address)
    monkeypatch.setattr("onlay.machine.fetching.getproxies", dict)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with quiet_hub():
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr("onlay.machine.fetching.getproxies", lambda: {"https": "http://proxy:80"})
    with quiet_hub():
        assert not constants.HF_HUB_OFFLINE


def test_errors_of_the_hub_in_words() -> None:
    assert why(errors.LocalEntryNotFoundError("404 Client Error. (Request ID: x)")) == (
        "the hub does not answer and nothing is in the cache"
    )
    assert why(ConnectionResetError("x")) == "the hub does not answer"
    assert why(KeyError("x")) == "`KeyError`"
