"""`python -m nvs.cli`, for launchers that start modules."""

from nvs.cli import main

main()
