"""Small comparisons that need no data and no weights of one's own."""
