"""Care and crisis plans: kept sealed, matched by number, opened only to those who may see them."""
