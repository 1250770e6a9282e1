"""Feature maps, loss maps and Gram matrices."""
