"""Live figures of the service, the rules that watch them, and who is told when one is broken."""
