"""Colours: they stand out, and are told apart by any eye."""

import re
from itertools import combinations

import numpy as np
import pytest

from bob.learn.pytorch.drawing.plot import COLOURS
from bob.learn.pytorch.report.page_style import STYLE

# What is left of red, green and blue (linear) without one kind of cones: Machado et
# al., "A physiologically-based model for simulation of color vision deficiency", 2009.
EYES = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
THEMES = {"light": 0, "dark": 1, "print": 2}


def palette(theme):
    block = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[THEMES[theme]]
    found = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})\b", block))
    return {
        name: "#" + "".join(2 * c for c in value[1:]) if len(value) == 4 else value
        for name, value in found.items()
    }


def linear(colour):
    numbers = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(
        numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055) ** 2.4
    )


def contrast(one, other):
    """Of WCAG 2.2, from its definition."""
    weights = 0.2126, 0.7152, 0.0722
    dark, bright = sorted(float(np.dot(weights, linear(c))) for c in (one, other))
    return (bright + 0.05) / (dark + 0.05)


def lab(light):
    """CIE 1976 L*a*b* of linear sRGB under D65."""
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    xyz = np.dot(to_xyz, np.clip(light, 0, 1)) / [0.95047, 1, 1.08883]
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("theme", THEMES)
def test_colours_stand_out_from_the_paper(theme):
    full = palette(theme)

    for name in ("ink", "soft", "link"):
        assert contrast(full[name], full["paper"]) >= 4.5, name
    for name in ("guide", *(f"c{number}" for number in range(7))):
        assert contrast(full[name], full["paper"]) >= 3, name


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", THEMES)
def test_colours_of_systems_differ_for_any_eye(theme, eye):
    """A difference of 2.3 in L*a*b* is just noticeable."""
    full = palette(theme)

    seen = [lab(EYES[eye] @ linear(full[f"c{number}"])) for number in range(7)]

    differences = [np.linalg.norm(a - b) for a, b in combinations(seen, 2)]
    assert min(differences) > 20


def test_pictures_have_the_colours_of_the_page_on_white():
    assert [palette("light")[f"c{number}"] for number in range(7)] == list(COLOURS)
