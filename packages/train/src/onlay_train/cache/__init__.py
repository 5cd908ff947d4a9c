"""What the frozen front of a backbone gives, computed once and kept on disk."""
