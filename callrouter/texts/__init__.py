"""Text messages: asked for in a call or for a crew, kept before they are sent, sent once, their receipts recorded."""
