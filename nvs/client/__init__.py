"""A client of the renderer service."""
