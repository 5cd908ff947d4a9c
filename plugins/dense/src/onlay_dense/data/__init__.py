"""Images with targets that lie on them, on disk; `config` imports no torch."""
