"""Ladder side tuning for Onlay."""
