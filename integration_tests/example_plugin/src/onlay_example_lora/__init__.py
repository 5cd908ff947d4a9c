"""LoRA for Onlay."""
