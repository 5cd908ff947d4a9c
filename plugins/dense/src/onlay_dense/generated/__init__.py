"""Pictures that are made, not read: no files, no download."""
