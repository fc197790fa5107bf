"""How the embedded checkpoint was made: pretraining, text tower, captions, and its study."""
