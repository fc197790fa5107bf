"""The model: where checkpoints come from, the audio tower, and its features. Only this room imports transformers."""
