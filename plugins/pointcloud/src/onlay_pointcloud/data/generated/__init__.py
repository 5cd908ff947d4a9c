"""Everyday objects made of surfaces, for the data set `shapes`."""
