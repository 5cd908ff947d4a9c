"""A plugin that fails while a run is under way: it is named, and nothing is lost."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch

pytestmark = pytest.mark.skipif(
    not find_spec("onlay_train"), reason="`onlay-train` is not installed"
)


@pytest.fixture(scope="module")
def undisturbed(onlay, tiny_run, tmp_path_factory) -> bytes:
    """What that run ends with when nobody spoils it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert onlay(*tiny_run, f"out={folder / 'run'}").exit_code == 0
    return (folder / "run" / "bundle" / "adapter_model.safetensors").read_bytes()


SPOILS = """
    import os
    from onlay import hookimpl

    @hookimpl
    def {hook}():
        if "SPOIL" in os.environ:
            raise KeyError("lost keys")
"""


@pytest.mark.parametrize(
    ("hook", "step"),
    [("step_finished", 3), ("evaluated", 8), ("checkpoint_saving", 8), ("run_finished", 16)],
)
def test_a_hook_that_fails_stops_the_run_and_loses_nothing(
    onlay, fake_plugins, tiny_run, undisturbed, monkeypatch, tmp_path, hook, step
):
    """The bundle of a run that went on is, to the bit, that of a run that was never disturbed."""
    fake_plugins.install("spoils", SPOILS.format(hook=hook))
    monkeypatch.setenv("SPOIL", "1")
    stopped = onlay(*tiny_run, f"out={tmp_path / 'run'}")
    assert stopped.exit_code == 2
    sentence = f"Error: plugin `onlay-spoils 1.0` failed in `{hook}`: KeyError: 'lost keys'"
    assert sentence in " ".join(stopped.stderr.split())
    assert "Traceback" not in stopped.output
    kept = torch.load(tmp_path / "run" / "last.pt", weights_only=True)
    assert kept["progress"]["step"] == step
    monkeypatch.delenv("SPOIL")
    went_on = onlay(*tiny_run, f"out={tmp_path / 'run'}")
    assert went_on.exit_code == 0, went_on.output
    bundle = tmp_path / "run" / "bundle"
    assert (bundle / "adapter_model.safetensors").read_bytes() == undisturbed
