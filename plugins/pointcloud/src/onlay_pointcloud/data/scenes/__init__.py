"""Large scenes, which are cut into blocks."""
