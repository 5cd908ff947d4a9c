"""The kinds: each module has `make(rng, folder) -> Case`."""
