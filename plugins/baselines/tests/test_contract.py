"""The contract of a method, for all of them: what a file of its own can break.

`onlay plugins check NAME` also compiles, exports and asks other processes, which takes ten times as
long and is the same for methods that use the same verbs.
"""

from __future__ import annotations

import pytest

from onlay import PluginHost
from onlay.testing import run_checks

BROUGHT = [n for n, m in PluginHost.discover().methods.items() if m.attach.startswith("onlay_base")]
ASKED = (
    "imports_no_torch or settings or fits or site or identity or counts or untouched or declares"
    " or gets_a_gradient or auxiliary or recomputes or sources or batch_do_not_touch"
    " or runs_in_bfloat16 or bundle_holds or reloads or detach or folds or folding"
)


@pytest.mark.parametrize("method", BROUGHT)
def test_contract(method: str, host: PluginHost) -> None:
    words = f"({ASKED}) and not effect"
    outcomes = [*run_checks("method", method, host=host, words=words)]
    assert len(outcomes) > 20
    assert not [(o.check.name, o.reason) for o in outcomes if not o.good]
