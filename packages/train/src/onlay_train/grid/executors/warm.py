"""Imports that every cell needs, made once."""

import accelerate  # noqa: F401
import torch  # noqa: F401

import onlay_train.finish
import onlay_train.run  # noqa: F401
