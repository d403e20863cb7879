"""The servers of the production shape as processes of one machine, without containers."""
