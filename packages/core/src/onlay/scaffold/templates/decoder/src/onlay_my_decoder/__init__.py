"""The decoder my_decoder for Onlay."""
