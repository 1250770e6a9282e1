"""How fast, how large and how smooth: measured against others, on whatever machine it runs."""
