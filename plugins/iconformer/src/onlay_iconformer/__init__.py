"""iConFormer (2024): input-conditioned adapters for Onlay."""
