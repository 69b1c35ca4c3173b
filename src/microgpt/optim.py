"""The update: the optimizer's constants, and the learning rate at a step.

In: a config, a step, the seconds since the training began. Out: numbers, which the engines apply.
Adam::

    m = beta1 m + (1 - beta1) g             m_hat = m / (1 - beta1^t)
    v = beta2 v + (1 - beta2) g^2           v_hat = v / (1 - beta2^t)
    parameter -= lr m_hat / (sqrt(v_hat) + eps)

with g the gradient of the batch's mean loss, and t the number of the update, counted from 1. Muon,
for the layers' matrices::

    m = momentum m + (1 - momentum) g       look = momentum m + (1 - momentum) g
    matrix -= muon_lr sqrt(max(1, out / in)) orthogonal(look)

where orthogonal(X) approximates U V^T of the singular value decomposition X = U S V^T: the
orthogonalised update moves equally far along all singular directions, the weak ones included. It is
computed by matrix products alone: see `POLYNOMIAL`. With weight decay the layers' matrices are
first multiplied by 1 - rate weight_decay.

Sources: Kingma and Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; Jordan et
al., "Muon: an optimizer for hidden layers in neural networks" (2024); Loshchilov and Hutter,
"Decoupled weight decay regularization" (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.config import TrainConfig

# X <- a X + b (X X^T) X + c (X X^T)^2 X maps every singular value s to a s + b s^3 + c s^5. Five
# iterations from X / norm(X) bring all but the smallest between 0.7 and 1.2. Source: Jordan et al.
# (2024), "Newton-Schulz".
POLYNOMIAL = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# Added to the norm, so that a zero matrix is not divided by zero.
SMALLEST_NORM = 1e-7


@dataclass(frozen=True)
class Optimizer:
    """The constants of an update.

    Args:
        beta1: decay rate of Adam's running mean of the gradients.
        beta2: decay rate of Adam's running mean of their squares.
        eps: added to Adam's divisor, so that it is not 0.
        muon: Muon's learning rate for the layers' matrices, in multiples of Adam's; 0: Adam updates
            them too.
        momentum: decay rate of Muon's running mean of the gradients.
        weight_decay: of the layers' matrices.
        dropout: the share of activations set to 0: see `model.dropout`.
        seed: of the dropout masks.
    """

    beta1: float = 0.85
    beta2: float = 0.99
    eps: float = 1e-8
    muon: float = 0.0
    momentum: float = 0.95
    weight_decay: float = 0.0
    dropout: float = 0.0
    seed: int = 42

    @classmethod
    def of(cls, config: TrainConfig) -> Optimizer:
        """Take the constants from a training's config."""
        return cls(
            beta1=config.beta1,
            beta2=config.beta2,
            eps=config.eps,
            muon=config.muon_lr / config.lr if config.optimizer == "muon" else 0.0,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
            dropout=config.dropout,
            seed=config.seed,
        )

    def corrections(self, update: int) -> tuple[float, float]:
        """Return the bias corrections 1 - beta1^t and 1 - beta2^t of m and v, which begin at 0.

        >>> Optimizer(beta1=0.5, beta2=0.75).corrections(2)
        (0.75, 0.4375)
        """
        return 1.0 - self.beta1**update, 1.0 - self.beta2**update


def learning_rate(config: TrainConfig, step: int, seconds: float) -> float:
    """Return the learning rate of a step: falling linearly from config.lr to 0 at the budget's end.

    Args:
        config: its budget is in steps, in seconds, or in both: then the one that ends first counts.
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
