"""What can be inspected of a network and a run: feature maps, loss maps and Gram matrices."""
