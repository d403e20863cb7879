"""Repeat callers: earlier contacts from every source, and the rule of NHS 111 about them."""
