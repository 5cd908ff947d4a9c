"""LoRA for Inlay."""
