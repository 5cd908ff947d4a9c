"""The backbone my_backbone for Onlay."""
