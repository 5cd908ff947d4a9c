"""Starts a worker: `python serve.py KIND SEED`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from fuzzing.worker import serve  # noqa: E402

serve(sys.argv[1], int(sys.argv[2]))
