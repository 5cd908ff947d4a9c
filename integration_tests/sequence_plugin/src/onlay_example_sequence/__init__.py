"""Sequences of items for Onlay."""
