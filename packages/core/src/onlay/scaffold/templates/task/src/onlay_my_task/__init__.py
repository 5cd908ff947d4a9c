"""The task my_task for Onlay."""
