"""How a step is taken: the loop, directions from rows of gradients, optimisers, momentum by aggregation."""
