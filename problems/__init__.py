"""The problem zoo: one family a file."""
