"""What the network sees in a result."""
