"""Channels that carry an alert's notice to a person.

The arrows: these modules import :mod:`alerts.ports` and :mod:`alerts.model` (with :mod:`alerts.notices.wording` for the
text), never the other way about; ``alerts`` knows a channel only as a ``Notifier``.
"""
