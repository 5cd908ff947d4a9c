"""Dynamic Tuning: adapters beside an MLP that only some tokens pass."""
