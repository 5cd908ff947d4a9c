"""The tasks that core brings: classification and several labels."""
