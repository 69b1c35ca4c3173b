"""A run as a scikit-learn estimator: log-likelihoods of texts, outliers, samples.

In: texts in a list, an array or a Series. Out: `TextDensity`. It needs scikit-learn, which no other
module of the package imports.
"""

from microgpt.sklearn.density import TextDensity

__all__ = ["TextDensity"]
