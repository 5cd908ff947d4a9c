"""Where the cells of a grid are trained."""
