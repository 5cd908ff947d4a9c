"""The task `several`: heads of other tasks on one pass of the backbone."""
