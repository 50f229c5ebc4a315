"""Readers of dataset layouts, found through the entry-point group `nvs.readers`."""
