"""The tasks that core brings: classification."""
