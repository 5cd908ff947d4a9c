"""Decoders: from maps of a backbone's blocks to one map."""
