"""What users watched and bought, made up; and the weights of a pretrained network as a file.

`python peterrec.py data`, and after pretraining `python peterrec.py weights`.
"""

import json
import random
import sys
from pathlib import Path

from safetensors.torch import save_file

import onlay

ITEMS, LENGTH = 20, 10


def watching(chance: random.Random) -> tuple[list[str], str]:
    """A user goes round all items in steps of 1 or 3, and buys by step and by the last item."""
    start, step = chance.randrange(ITEMS), chance.choice((1, 3))
    places = [(start + n * step) % ITEMS for n in range(LENGTH)]
    bought = f"{'book' if step == 1 else 'game'}_{places[-1] // 5}"
    return [f"item_{place}" for place in places], bought


def data() -> None:
    """400 users who only watched, 120 others who also bought one of 8 things."""
    chance = random.Random(0)
    watched = [json.dumps(watching(chance)[0]) for _ in range(400)]
    Path("watched.jsonl").write_text("\n".join(watched), encoding="utf-8")
    users = [watching(chance) for _ in range(120)]
    lines = [",".join([*items, "", bought]) for items, bought in users]
    Path("bought.csv").write_text("\n".join(lines), encoding="utf-8")
    Path("one.csv").write_text(",".join(f"item_{n}" for n in range(3, 13)), encoding="utf-8")


def weights() -> None:
    """The network that `onlay train ... method=full` made of a random one."""
    model = onlay.load("pretrained/bundle").merge()
    save_file(model.backbone.state_dict(), "nextitnet.safetensors")


if __name__ == "__main__":
    {"data": data, "weights": weights}[sys.argv[1]]()
