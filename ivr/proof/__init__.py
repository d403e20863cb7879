"""The proof: what a flow can never do to a caller, shown before it is live (docs/proof.md)."""
