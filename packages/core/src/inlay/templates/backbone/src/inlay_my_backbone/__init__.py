"""The backbone my_backbone for Inlay."""
