"""Recordings of talks by SIP: taken from Asterisk's disk, sealed with the call's key, opened for who may ask."""
