"""Evaluation: metrics, benchmark protocols, baselines and reports."""
