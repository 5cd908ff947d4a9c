"""Prefix tuning for Onlay."""
