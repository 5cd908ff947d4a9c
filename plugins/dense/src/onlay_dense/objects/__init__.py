"""Objects on pictures: boxes, classes and masks."""
