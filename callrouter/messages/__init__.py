"""Front-end messages: what callers of an area hear before the menu, for a time, approved by a second person."""
