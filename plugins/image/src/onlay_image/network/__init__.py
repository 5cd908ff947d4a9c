"""Networks that are not timm's."""
