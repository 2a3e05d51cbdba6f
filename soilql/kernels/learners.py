"""Predictions of kernel machines and networks, point by point.

A matrix product of the linear algebra library adds up in an order that depends on shapes and threads. These loops take
each point by itself, so that it has the same result in any block of a map.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from soilql.kernels.blocks import as_floats
from soilql.kernels.compiling import compiled

Floats = NDArray[np.float64]

_KERNELS = ("rbf", "linear", "polynomial", "sigmoid")
_ACTIVATIONS = ("tanh", "relu", "logistic")


def weighted_kernels(
    points: Floats, vectors: Floats, weights: Floats, kernel: str, gamma: float, offset: float, degree: int
) -> Floats:
    """Return weighted sums of the kernel of points with some vectors.

    Parameters
    ----------
    points : numpy.ndarray, shape (n, columns)
        Where the sums are wanted.
    vectors : numpy.ndarray, shape (m, columns)
        Support vectors.
    weights : numpy.ndarray, shape (m, sums)
        Weight of each vector in each sum.
    kernel : str
        ``rbf``: exp(-gamma |a - b|^2); ``linear``: a.b; ``polynomial``: (gamma a.b + offset)^degree; ``sigmoid``:
        tanh(gamma a.b + offset).
    gamma, offset, degree
        Numbers of the kernel.

    Returns
    -------
    numpy.ndarray, shape (sums, n)

    Examples
    --------
    >>> weighted_kernels(np.zeros((1, 2)), np.ones((1, 2)), np.array([[2.0]]), "rbf", 0.5, 0.0, 3).round(6)
    array([[0.735759]])
    """
    a, b, c = (as_floats(one) for one in (points, vectors, weights))
    out = np.empty((weights.shape[1], len(points)))
    _weighted(a, b, c, _KERNELS.index(kernel), float(gamma), float(offset), int(degree), out)
    return out


@compiled
def _weighted(
    points: Any, vectors: Any, weights: Any, kernel: int, gamma: float, offset: float, degree: int, out: Any
) -> None:
    total = np.empty(weights.shape[1])
    for i in range(points.shape[0]):
        total[:] = 0.0
        for j in range(vectors.shape[0]):
            inner = 0.0
            for f in range(points.shape[1]):
                if kernel == 0:
                    gap = points[i, f] - vectors[j, f]
                    inner += gap * gap
                else:
                    inner += points[i, f] * vectors[j, f]
            if kernel == 0:
                value = math.exp(-gamma * inner)
            elif kernel == 1:
                value = inner
            elif kernel == 2:
                base = gamma * inner + offset
                value = 1.0
                for _ in range(degree):
                    value *= base
            else:
                value = math.tanh(gamma * inner + offset)
            for k in range(total.size):
                total[k] += value * weights[j, k]
        for k in range(total.size):
            out[k, i] = total[k]


def network_output(points: Floats, weights: Floats, sizes: NDArray[np.int64], activation: str) -> Floats:
    """Return the output of a network with one neuron at the end, shape (n,).

    Parameters
    ----------
    points : numpy.ndarray, shape (n, columns)
        What goes in.
    weights : numpy.ndarray, shape (numbers,)
        Layer by layer the weights, neuron before by neuron, and then the biases.
    sizes : numpy.ndarray of int64, shape (layers + 1,)
        Columns, neurons of each hidden layer, 1.
    activation : str
        ``tanh``, ``relu`` or ``logistic``, of the hidden neurons.

    Examples
    --------
    >>> weights = np.array([2.0, 0.5, 3.0, -1.0])  # 3 relu(2 x + 0.5) - 1
    >>> network_output(np.array([[1.0], [-1.0]]), weights, np.array([1, 1, 1]), "relu")
    array([ 6.5, -1. ])
    """
    out = np.empty(len(points))
    code = _ACTIVATIONS.index(activation)
    _forward(as_floats(points), as_floats(weights), np.asarray(sizes, np.int64), code, out)
    return out


@compiled
def _forward(points: Any, weights: Any, sizes: Any, activation: int, out: Any) -> None:
    before, after = np.empty(sizes.max()), np.empty(sizes.max())
    layers = sizes.size - 1
    for i in range(points.shape[0]):
        before[: sizes[0]] = points[i]
        at = 0
        for layer in range(layers):
            n, m = sizes[layer], sizes[layer + 1]
            after[:m] = 0.0
            for a in range(n):
                for b in range(m):
                    after[b] += before[a] * weights[at + a * m + b]
            at += n * m
            for b in range(m):
                z = after[b] + weights[at + b]
                if layer < layers - 1:
                    if activation == 0:
                        z = math.tanh(z)
                    elif activation == 1:
                        z = max(z, 0.0)
                    else:
                        z = 1.0 / (1.0 + math.exp(-z))
                before[b] = z
            at += m
        out[i] = before[0]
