"""Sweeps: small images for several settings, shown side by side on one contact sheet."""
