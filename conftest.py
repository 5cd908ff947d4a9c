"""For all tests: one thread. Their tensors are tiny, and threads only get in each other's way."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before the first import of torch
