"""Kamailio as a deployable: its configuration, and a running instance for tests and demos."""
