"""The life of alerts: judged, kept, taken on, ended."""
