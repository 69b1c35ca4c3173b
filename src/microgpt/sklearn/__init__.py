"""A run as a scikit-learn estimator: how likely texts are, which are outliers, new ones.

In: texts in whatever holds strings. Out: `TextDensity`. It needs scikit-learn, and nothing else of
the package loads it.
"""

from microgpt.sklearn.density import TextDensity

__all__ = ["TextDensity"]
