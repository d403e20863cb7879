"""What ``callrouter doctor`` looks at: every dependency, what is wrong with it, and what to do."""
