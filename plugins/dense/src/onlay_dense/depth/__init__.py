"""The task `depth`: a distance for every pixel."""
