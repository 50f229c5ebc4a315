"""Which views the protocols choose, and that their index files are what they say."""

from __future__ import annotations
