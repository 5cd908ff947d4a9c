"""Malformed files, and what becomes of them: one module for each kind of thing that is read."""
