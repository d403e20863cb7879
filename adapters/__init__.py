"""What speaks with the world outside: telephone networks, channels of notices, old provider systems."""
