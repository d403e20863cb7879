"""What callers mean: menu words, and the red-flag lexicon that can only raise."""
