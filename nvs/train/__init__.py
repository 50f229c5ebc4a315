"""Training: scenes, losses, optimisers, the loop and its checkpoints."""
