"""Call-backs: promised in a call, kept by people who ring, told when late, journalled (docs/call-backs.md)."""
