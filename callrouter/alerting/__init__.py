"""Alerts put together: what watches, who is told and how, and the auditor that watches them."""
