"""Asterisk as a network that carries calls: a client of ARI, and what turns its events into inputs."""
