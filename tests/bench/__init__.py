"""Speed, as ratios in one run: the service beside plain rivals that do the same job (docs/bench.md)."""
