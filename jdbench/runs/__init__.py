"""What was run: specifications, records, the store, and what runs them."""
