"""The commands that `onlay-train` adds to `onlay`."""
