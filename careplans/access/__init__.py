"""Who may see a plan, and why: the call in front of them, a reference, or a broken glass. Nothing else opens one."""
