"""Callers and providers on a real SIP line: SIPp speaks the signalling, `rtp.py` the sound."""
