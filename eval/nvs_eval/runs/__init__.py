"""Runs: methods × scenes × view counts × sizes, resumable and sharded."""

from nvs_eval.runs.records import load_rows, load_timings
from nvs_eval.runs.run import run
from nvs_eval.runs.settings import RunSettings
