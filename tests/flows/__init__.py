"""Whole flows, played: golden calls, laws, and broken flows with the line of their defect."""
