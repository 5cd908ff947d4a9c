"""The networks, under the names that their authors' checkpoints have."""
