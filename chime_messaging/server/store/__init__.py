"""What must last: tables and queries, one file per noun, and the one thread that runs transactions."""
