"""Runs: methods × scenes × view counts × sizes, resumable and sharded."""

from eval.runs.records import load_rows, load_timings
from eval.runs.run import run
from eval.runs.settings import RunSettings
