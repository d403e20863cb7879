"""Asterisk as a deployable: how to get it, its configuration, and a running instance for tests and demos."""
