"""Notices: worded, told to those on duty, carried, followed up."""
