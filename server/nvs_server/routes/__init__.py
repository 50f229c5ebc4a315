"""The HTTP API, a module a resource; each has a `router`."""
