"""Benchmarks as grids: their data sets where people have them, splits, preprocessing, recipes."""
