"""What goes over HTTP: pydantic models of every request and answer body."""
