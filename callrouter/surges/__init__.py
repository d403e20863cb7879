"""Surges put together: counting, looking, and what people do with proposals."""
