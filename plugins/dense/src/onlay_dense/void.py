"""What stands where a pixel has no class. Imports nothing."""

VOID = -1
"""Of a class number: nobody knows the class, or it is not to be learnt. No loss and no metric
counts such a pixel."""
