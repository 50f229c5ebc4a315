"""What a request may cost: bodies, headers, renders in the house."""
