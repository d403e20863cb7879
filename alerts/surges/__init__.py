"""From the journal to a proposal: what callers choose, counted by place and quarter-hour, screened, and told to people.

Calls come before triage: a count says what callers pressed or said, not what they have. Nothing here but
:mod:`alerts.surges.screening` needs numpy, and that runs in a process of its own (docs/surveillance.md).
"""
