"""The method my_method for Onlay."""
