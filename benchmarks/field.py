"""All that the documentation tells of step times and of the pipe, in about six minutes.

    python benchmarks/field.py

Nothing else should run beside it. All methods on four blocks of a ViT-B/16; those that a limit is
set for, beside PEFT's LoRA, on all twelve; the pipe; packed inference; ARC folded in training.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIMITED = ("full", "limit", "peft lora, qkv", "peft lora, qkv + fc1", "arc, no dropout")
LIMITED += ("arc, late half", "lora, qkv", "lora, qkv + fc1")

RUNS: tuple[tuple[str, ...], ...] = (
    ("step.py", "--depth", "4", "--rounds", "2", "--no-memory"),
    ("step.py", "--rounds", "4", "--no-memory", "--modes", *LIMITED),
    ("pipe.py", "--depth", "4", "--rounds", "8"),
    ("packed.py", "--rounds", "5"),
    ("folding_in_training.py", "--rounds", "5"),
)


def main() -> None:
    here = Path(__file__).parent
    for name, *given in RUNS:
        print(f"\n## {name} {' '.join(given)}\n", flush=True)
        subprocess.run([sys.executable, str(here / name), *given], check=True)


if __name__ == "__main__":
    main()
