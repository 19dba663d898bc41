"""For tests of applications: a network that loses, delays and reorders by script."""
