"""Critical values computed here against the tables printed in ISO 5725-2:1994 (tables 4 to 7).

The printed values are typed from knowledge of the standard; its pages could not be opened here. The double
test was printed from the tables of Grubbs and Beck 1972, which were computed otherwise than here.
"""

import pytest

from labhub.methods import critical_values


@pytest.mark.parametrize(
    "p, n, at_1, at_5",
    [(8, 2, 0.794, 0.680), (8, 3, 0.615, 0.516), (9, 2, 0.754, 0.638), (15, 2, 0.575, 0.471),
     (16, 2, 0.553, 0.452), (10, 4, 0.447, 0.373)],
)  # fmt: skip
def test_cochran(p, n, at_1, at_5):
    assert critical_values.cochran(p, n, 0.01) == pytest.approx(at_1, abs=0.0006)
    assert critical_values.cochran(p, n, 0.05) == pytest.approx(at_5, abs=0.0006)


@pytest.mark.parametrize(
    "p, at_1, at_5",
    [(3, 1.155, 1.155), (5, 1.764, 1.715), (8, 2.274, 2.126), (9, 2.387, 2.215), (15, 2.806, 2.549),
     (16, 2.852, 2.585), (40, 3.381, 3.036)],
)  # fmt: skip
def test_single_grubbs(p, at_1, at_5):
    assert critical_values.grubbs_single(p, 0.01) == pytest.approx(at_1, abs=0.0012)
    assert critical_values.grubbs_single(p, 0.05) == pytest.approx(at_5, abs=0.0012)


@pytest.mark.parametrize(
    "p, at_1, at_5",
    [(4, 0.0000, 0.0002), (5, 0.0018, 0.0090), (6, 0.0116, 0.0349), (7, 0.0308, 0.0708), (8, 0.0563, 0.1101),
     (9, 0.0851, 0.1492), (10, 0.1150, 0.1864), (15, 0.2530, 0.3367), (16, 0.2767, 0.3603),
     (20, 0.3585, 0.4391), (40, 0.5862, 0.6445)],
)  # fmt: skip
def test_double_grubbs_is_integrated_to_the_printed_table(p, at_1, at_5):
    assert critical_values.grubbs_double(p, 0.01) == pytest.approx(at_1, abs=0.00016)
    assert critical_values.grubbs_double(p, 0.05) == pytest.approx(at_5, abs=0.00016)


def test_double_grubbs_agrees_with_a_simulation():
    """Independent of the tables: 200 000 normal samples of ten."""
    import numpy

    values = numpy.sort(numpy.random.default_rng(5725).normal(size=(200_000, 10)), axis=1)
    ratio = values[:, :8].var(axis=1) * 8 / (values.var(axis=1) * 10)
    share = float((ratio < critical_values.grubbs_double(10, 0.05)).mean())
    assert share == pytest.approx(0.025, abs=0.0015)


@pytest.mark.parametrize("p, at_1, at_5", [(3, 1.15, 1.15), (8, 2.06, 1.75), (16, 2.33, 1.86)])
def test_mandels_h(p, at_1, at_5):
    assert round(critical_values.mandel_h(p, 0.01), 2) == at_1
    assert round(critical_values.mandel_h(p, 0.05), 2) == at_5


@pytest.mark.parametrize("p, n, at_1, at_5", [(8, 2, 2.25, 1.88), (8, 3, 1.96, 1.67), (9, 2, 2.29, 1.90)])
def test_mandels_k(p, n, at_1, at_5):
    assert critical_values.mandel_k(p, n, 0.01) == pytest.approx(at_1, abs=0.011)
    assert critical_values.mandel_k(p, n, 0.05) == pytest.approx(at_5, abs=0.011)
