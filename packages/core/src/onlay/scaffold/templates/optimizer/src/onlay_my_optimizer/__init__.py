"""The optimizer my_optimizer for Onlay."""
