"""Rooms with objects in them, rendered here, whose classes and depths are known exactly."""
