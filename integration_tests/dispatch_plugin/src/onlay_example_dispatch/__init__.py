"""Token dispatch in miniature for Onlay."""
