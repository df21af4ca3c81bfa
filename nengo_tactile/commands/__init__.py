"""What the command line's longer commands do, and what the papers' reproductions share with it."""
