"""`./hrl soak`: missions for hours while things go wrong, with an account of what came of it."""
