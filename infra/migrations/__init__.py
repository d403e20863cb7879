"""Alembic's folder: how a database comes up to date. The tables belong to the packages that use them."""
