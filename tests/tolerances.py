"""Named tolerances of the tests."""

#: Relative error of one transform or right-hand side: rounding, times the log of the size.
ROUNDING = 1e-13
#: The same in float32.
ROUNDING_SINGLE = 2e-5
#: Two runs that differ only in the order of sums, after a few hundred steps.
ROUNDING_RUN = 1e-11
#: How far a measured order of convergence may lie below the scheme's.
ORDER_SLACK = 0.25
