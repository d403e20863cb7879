"""The life of a call: session, journal, repeat calls, dispatch, hand-over; the application and its wiring."""
