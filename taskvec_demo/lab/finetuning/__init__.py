"""From a checkpoint and a task to a task vector."""
