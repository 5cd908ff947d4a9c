"""A tracker for Onlay."""
