"""Textured models in, posed sets of pictures out, without a display."""
