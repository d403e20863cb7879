"""Who takes which caller next: providers, their lines, and those who wait."""
