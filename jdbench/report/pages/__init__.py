"""Pages of the report, one function a page, and their templates."""
