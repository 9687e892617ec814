"""What figures are checked against, worked out slowly, and scores for them."""

import numpy as np
from hypothesis import strategies as st

# Few values on purpose: nearly every trial is tied with others.
TIED = st.sampled_from([-np.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 3.0, np.inf])
FREE = st.floats(allow_nan=False)
SCORES = st.one_of(
    st.lists(TIED, min_size=1, max_size=30), st.lists(FREE, min_size=1, max_size=30)
)


def crossing(first, second):
    """Where the line between two points meets FMR = FNMR."""
    low, high = first[1] - first[0], second[1] - second[0]
    if low == high:
        return first[1]
    return first[1] + (second[1] - first[1]) * low / (low - high)
