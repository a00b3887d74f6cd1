"""Checks of an aggregator's mathematical properties, on arrays alone and with derived tolerances."""
