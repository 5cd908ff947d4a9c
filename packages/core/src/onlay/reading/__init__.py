"""Files that people have: which count, what their labels are, which belong to which part."""
