"""The exporter my_exporter for Onlay."""
