"""What studies of other papers need while the page runs, a module for each."""
