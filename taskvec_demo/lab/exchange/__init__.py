"""Checkpoints and vectors to and from other people: convert, make a vector, read an adapter, push to the hub."""
