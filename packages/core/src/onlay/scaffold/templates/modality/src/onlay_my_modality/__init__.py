"""The kind of input my_modality for Onlay."""
