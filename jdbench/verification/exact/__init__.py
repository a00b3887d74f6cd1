"""Margins in exact arithmetic: what rounding cannot have caused."""
