"""Training, evaluation, comparison and reports for Onlay: a visible loop on Accelerate."""
