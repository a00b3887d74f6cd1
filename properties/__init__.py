"""The pytest face of verification: run `pytest properties/` or `pytest --pyargs jdbench.properties`."""
