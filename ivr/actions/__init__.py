"""One file for each thing that a node can do."""
