"""Train PDE surrogates on one grid and find out what they are worth on every other."""
