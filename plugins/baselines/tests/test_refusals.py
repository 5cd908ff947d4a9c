"""Settings that cannot be: one sentence each, before anything is built or where it is attached."""

from __future__ import annotations

from typing import Any

import pytest

from onlay.config import parse
from onlay.errors import ConfigError

WRITTEN: list[tuple[dict[str, Any], str]] = [
    ({"name": "ia3", "sites": []}, "`sites` is empty: name one, such as `v`"),
    ({"name": "ia3", "sites": ["v", "v"]}, "names one twice"),
    ({"name": "convpass", "sites": []}, "`sites` is empty"),
    ({"name": "repadapter", "sites": ["mlp", "mlp"]}, "names one twice"),
    ({"name": "metatt", "targets": []}, "`targets` is empty"),
    ({"name": "spectrum", "rank": 2, "parts": 3}, "`rank` 2 is less than the 3 `parts`"),
    ({"name": "dynamic_rank", "start": 0.6}, "`start` 0.6 must be below `stop` 0.5"),
    ({"name": "unipelt", "rows": 3}, "`rows` belongs to the part `p`, and `parts` is `al`"),
    ({"name": "unipelt", "parts": "ap", "rank": 4}, "`rank` belongs to the part `l`"),
    ({"name": "prefix", "stored": "mlp"}, "what trains would not be what is saved"),
]
PLACED: list[tuple[str, dict[str, Any], str]] = [
    ("lora", {"rank": 17}, "`method.rank` makes 17 directions, and `q` has at most 16: take less"),
    ("lora", {"rank": 17, "targets": ["fc1"]}, "`fc1` has at most 16"),
    ("unipelt", {"rank": 17}, "`q` has at most 16"),
    ("fact", {"rank": 17}, "a piece of a weight has at most 16"),
    ("metatt", {"rank": 17}, "a piece of a weight has at most 16"),
    ("adalink", {"rank": 17}, "`embed.out` has at most 16"),
    ("spectrum", {"rank": 17, "targets": ["proj"]}, r"`blocks.0.attn.proj` in 2 parts has at most"),
    ("dynamic_rank", {"rank": 11}, "makes 17 directions, and `qkv`, at the start, has at most 16"),
    ("repadapter", {"groups": 3}, "`method.groups` 3 does not divide `method.bottleneck`, 8"),
    ("ladder", {"reduction": 3}, "take a divisor of 8"),
]


@pytest.mark.parametrize(("settings", "sentence"), WRITTEN)
def test_what_is_written_in_a_run(settings, sentence, host):
    with pytest.raises(ConfigError, match=sentence):
        parse("method", settings, host)


@pytest.mark.parametrize(("method", "settings", "sentence"), PLACED)
def test_what_a_backbone_has_no_room_for(method, settings, sentence, adapted):
    with pytest.raises(ConfigError, match=sentence):
        adapted(method, **settings)


def test_the_highest_rank_is_taken(adapted):
    assert adapted("lora", rank=16)
