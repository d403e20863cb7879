"""What the runtime beneath the service can fail with.

::

    InfraError
    └── StateUnavailable   the shared store did not answer within its budget: go on without it, try again later
"""

from __future__ import annotations


class InfraError(Exception):
    """Base of all."""


class StateUnavailable(InfraError):
    """The store of live state (or its stream, leases, nudges) did not answer within its budget.

    What was asked for may or may not have been done. The text names no address and nothing of a call.
    """
