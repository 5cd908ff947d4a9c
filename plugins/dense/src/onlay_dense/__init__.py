"""Dense tasks on images: classes and depths of pixels, objects and their masks."""
