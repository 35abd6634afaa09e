"""Figures of the analysis, one module for each kind; matplotlib only."""
