"""Room: how do users test? Fixtures, fault scripts and recorders, shipped as a product. May import any room."""
