"""Studies of published papers, a folder or a file for each."""
