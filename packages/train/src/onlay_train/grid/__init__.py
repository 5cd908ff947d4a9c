"""Comparisons: a grid of runs whose folders are all the state there is."""
