"""A backbone, a method and a task put together: what is trained and what answers."""
