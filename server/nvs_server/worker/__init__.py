"""The process that owns a device: builds scenes and renders them."""
