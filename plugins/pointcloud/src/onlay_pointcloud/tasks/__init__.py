"""The task that this package brings: part segmentation."""
