"""Posings, builds and videos: from the queue, through the backend, into the stores."""
