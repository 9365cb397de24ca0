"""Between the drivers of robots and our topics: what a driver says, in our words, and back."""
