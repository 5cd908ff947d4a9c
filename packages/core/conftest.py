"""The templates of `onlay new` hold tests, which are run as generated, by `test_new.py`."""

collect_ignore = ["src"]
