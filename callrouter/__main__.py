"""``python -m callrouter``: the command line."""

from callrouter.cli import main

main()
