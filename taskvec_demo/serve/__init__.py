"""What page, API and command line call: the workbench, the artifacts of a checkpoint, figures measured on request."""
