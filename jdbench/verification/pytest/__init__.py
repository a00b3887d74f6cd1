"""What the pytest plugin and the suite `properties/` are made of."""
