"""The task my_task for Inlay."""
