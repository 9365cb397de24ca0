"""What a ledger remembers of a site, for people: in words, on the map, as files."""
