"""The commands that `inlay-train` adds to `inlay`."""
