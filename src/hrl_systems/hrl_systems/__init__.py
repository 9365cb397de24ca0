"""Skills that act on systems: stock, bookings, tickets, notifications over HTTP."""
