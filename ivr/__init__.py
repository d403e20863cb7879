"""Flows as data, and the pure engine that plays them. No clock, no network, no database."""
