"""Sharpness-aware minimisation for Onlay."""
