"""What a comparison says when its cells are done."""
