"""The update: Adam's numbers, and the learning rate at a step.

In: a config, how far training has come. Out: numbers. The engines apply them::

    m = beta1 m + (1 - beta1) g             m_hat = m / (1 - beta1^t)
    v = beta2 v + (1 - beta2) g^2           v_hat = v / (1 - beta2^t)
    parameter -= lr m_hat / (sqrt(v_hat) + eps)

with g the gradient of the mean loss of the batch, and t the update, counted from 1.

Source: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.config import TrainConfig


@dataclass(frozen=True)
class Adam:
    """Adam's constants.

    Args:
        beta1: how much of the mean of the gradients is kept at an update.
        beta2: how much of the mean of their squares is kept.
        eps: what keeps the division finite.
    """

    beta1: float = 0.85
    beta2: float = 0.99
    eps: float = 1e-8

    @classmethod
    def of(cls, config: TrainConfig) -> Adam:
        """Take the constants from a training's config."""
        return cls(config.beta1, config.beta2, config.eps)

    def corrections(self, update: int) -> tuple[float, float]:
        """Return 1 - beta1^t and 1 - beta2^t: what m and v lack because they began at zero.

        >>> Adam(beta1=0.5, beta2=0.75).corrections(2)
        (0.75, 0.4375)
        """
        return 1.0 - self.beta1**update, 1.0 - self.beta2**update


def learning_rate(config: TrainConfig, step: int, seconds: float) -> float:
    """Return the rate of a step, falling in a line from config.lr to 0 at the budget's end.

    Args:
        config: with the budget: steps, seconds, or both, of which the nearer counts.
        step: counted from 1.
        seconds: since the training began.

    >>> config = TrainConfig(steps=4, lr=0.01)
    >>> [learning_rate(config, step, 0.0) for step in (1, 2, 3, 4)]
    [0.01, 0.0075, 0.005, 0.0025]
    """
    done = 0.0
    if config.steps is not None:
        done = (step - 1) / config.steps
    if config.seconds is not None:
        done = max(done, min(seconds / config.seconds, 1.0))
    return config.lr * (1.0 - done)
