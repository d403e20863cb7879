"""Care plans as calls meet them: look-ups, access, pages, sources, and word to crews."""
