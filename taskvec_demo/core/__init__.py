"""The arithmetic: weights, task vectors, recipes, accuracies. Knows neither audio files nor models."""
