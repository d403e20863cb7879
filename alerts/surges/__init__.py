"""From the journal to a proposal: what callers choose, counted by place and quarter-hour, screened, and told to people.

Calls come before triage: a count says what callers pressed or said, not what they have. :mod:`alerts.surges.screening`
and what it imports need numpy and run in a process of their own; the rest is for workers (docs/surveillance.md).
"""
