"""Labelled point clouds on disk; `config` imports no torch."""
