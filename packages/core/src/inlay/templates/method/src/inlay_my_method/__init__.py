"""The method my_method for Inlay."""
