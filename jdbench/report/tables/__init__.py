"""Tables of the report: what analysis computed, as cells of a page."""
