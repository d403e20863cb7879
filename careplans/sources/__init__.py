"""Where plans come from: one port, a file for each kind of source, and the pipeline behind it."""
