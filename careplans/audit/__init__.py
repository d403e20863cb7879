"""The audit: who saw, tried or did what with plans, as a chain that shows every change to it."""
