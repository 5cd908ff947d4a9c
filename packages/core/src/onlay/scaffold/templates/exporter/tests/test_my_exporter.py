"""What stands in the file, on a network of the checks; and what is refused."""

from pathlib import Path

import numpy as np
import onlay
import pytest
import torch
from onlay.errors import CannotFold
from onlay.model.adapted import AdaptedModel
from onlay.testing import tiny_backbone

from onlay_my_exporter import plugin
from onlay_my_exporter.export import export


@pytest.fixture
def model() -> AdaptedModel:
    """Its adapter adds 2 to every bias of the backbone."""
    model = onlay.adapt(tiny_backbone(), "bitfit", labels=["cat", "dog"]).eval()
    with torch.no_grad():
        for parameter in model.adapter.parameters():
            parameter.add_(2)
    return model


def test_the_file_holds_what_the_merged_model_computes_with(
    model: AdaptedModel, tmp_path: Path
) -> None:
    export(model.merge(), tmp_path / "model.npz")
    arrays = np.load(tmp_path / "model.npz")
    assert arrays["labels"].tolist() == ["cat", "dog"]
    before = tiny_backbone().module.state_dict()["norm.bias"] + 2
    np.testing.assert_allclose(arrays["backbone.norm.bias"], before.numpy())


def test_what_is_not_merged_is_refused(model: AdaptedModel, tmp_path: Path) -> None:
    with pytest.raises(CannotFold, match="is still an adapter"):
        export(model, tmp_path / "model.npz")
    assert not list(tmp_path.iterdir())


def test_it_is_registered() -> None:
    (found,) = plugin.register_exporters()
    assert onlay.PluginHost.discover().exporters[found.name] == found
