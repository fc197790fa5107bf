"""The model: where checkpoints come from, the audio tower, what it hears. Only this room imports transformers."""
