"""What callers mean: menu words, the red-flag lexicon that can only raise, and reason words that only count."""
