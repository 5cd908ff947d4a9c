"""Methods for timm's models."""

from __future__ import annotations

import pytest
from adapted_timm import METHODS

from onlay.host import PluginHost


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> PluginHost:
    folder = tmp_path_factory.mktemp("plugin")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        path = folder / "image_test_methods.py"
        path.write_text(METHODS.replace("METHODS", "image_test_methods"))
        import image_test_methods  # type: ignore[import-not-found]

        made = PluginHost.discover(only="image")
        made.add(image_test_methods, name="test-methods")
        yield made
