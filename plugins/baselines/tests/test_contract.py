"""The contract of a method, as every author of one checks it."""
