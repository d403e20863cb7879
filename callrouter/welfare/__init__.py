"""Welfare tasks: callers at risk who went before a person answered."""
