"""Methods for point clouds, each in a file of its own."""
