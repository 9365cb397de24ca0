"""A small warehouse system with a database: stock, bookings, tickets, notifications over HTTP."""
