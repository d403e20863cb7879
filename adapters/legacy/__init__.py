"""One folder for each kind of old provider system; none is connected yet."""
