"""A flow for reading and signing: a diagram, and a document with everything that a caller can meet."""
