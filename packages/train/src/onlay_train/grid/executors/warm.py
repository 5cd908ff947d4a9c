"""Imports that every cell needs, made once."""

import accelerate  # noqa: F401
import torch  # noqa: F401

import onlay_train.finish
import onlay_train.grid.worker
import onlay_train.run  # noqa: F401
from onlay_train.grid.executors.announced import import_announced

import_announced()
