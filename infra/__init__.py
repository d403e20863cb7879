"""What runs underneath: SQL, live call state, the event stream, keys, and the deployables."""
