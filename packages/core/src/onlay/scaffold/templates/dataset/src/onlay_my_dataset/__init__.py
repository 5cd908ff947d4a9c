"""The data set my_dataset for Onlay."""
