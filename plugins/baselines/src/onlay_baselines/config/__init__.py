"""Settings of each method; imports no torch."""
