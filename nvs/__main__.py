"""`python -m nvs`, where the command is not on the path."""

from nvs.cli import main

main()
