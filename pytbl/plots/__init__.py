"""Figures, one module for each kind; matplotlib is imported where one is drawn."""
