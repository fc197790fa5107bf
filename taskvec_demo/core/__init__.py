"""The arithmetic: weights, task vectors, recipes and accuracies. This room knows neither audio files nor models."""
