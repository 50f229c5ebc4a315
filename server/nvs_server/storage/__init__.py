"""What the service keeps: keys, scenes and jobs in a database, files as blobs."""
