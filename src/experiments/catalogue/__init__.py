"""Parts that are chosen by name: activations, losses, optimizers, schedules, models."""
