"""Alert rules as checked data, and what they read."""
