"""What is said of each method when plugins are listed."""
