"""Adapter-X (2024): a Sharing Mixture of Adapters for Onlay."""
