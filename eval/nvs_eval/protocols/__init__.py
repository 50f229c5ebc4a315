"""Benchmark protocols: which views of a scene are inputs and which are targets."""
