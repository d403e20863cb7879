"""The service's figures, put together: live, past, and compared with a recount."""
