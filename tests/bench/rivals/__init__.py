"""What a good engineer would write in an afternoon for the same job, kept as quick as it honestly can be."""
