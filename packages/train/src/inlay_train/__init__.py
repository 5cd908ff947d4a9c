"""Training, evaluation, comparison and reports for Inlay: a visible loop on Accelerate."""
