"""Sampling and grouping of points, on any device, without compiled extensions."""
