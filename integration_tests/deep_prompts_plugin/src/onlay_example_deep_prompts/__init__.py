"""Deep visual prompts for Onlay."""
