"""What a request meets first: who asks, what it may cost, how it is refused."""
