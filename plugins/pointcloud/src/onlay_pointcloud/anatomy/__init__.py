"""From a network of Point-MAE's layout to its anatomy."""

from onlay_pointcloud.anatomy.points import PointAnatomy, dissect

__all__ = ["PointAnatomy", "dissect"]
