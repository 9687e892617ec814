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


def by_formula(count, *, places, widths):
    """Logistic quantiles in an order of their own, rounded to quarters: many ties."""
    found = []
    for number, place, width in zip(count, places, widths, strict=True):
        share = (np.arange(number) * 7919 % number + 0.5) / number
        scores = place + width * np.log(share / (1 - share))
        found.append(np.floor(4 * scores) / 4)
    return found


def logistic_scores():
    """300 target and 2,000 non-target scores by formula."""
    return by_formula((300, 2000), places=(2.5, -3), widths=(1.25, 1))


def inner_corners(points):
    """Leave out the ends, and what lies between two points on one level."""
    return [
        point
        for before, point, after in zip(points, points[1:], points[2:], strict=False)
        if len({before[0], point[0], after[0]}) > 1
        and len({before[1], point[1], after[1]}) > 1
    ]
