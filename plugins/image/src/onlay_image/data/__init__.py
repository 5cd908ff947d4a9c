"""Labelled images on disk; `config` imports no torch."""
