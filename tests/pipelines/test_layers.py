"""Every kind of layer, and every optimizer, against values computed by hand."""

import math

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec import BatchNorm, Dense, Dropout, LayerNorm

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.models.layers import keras_layer  # noqa: E402
from pipelines.models.optimizers import optimizer  # noqa: E402

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: max(0.0, x),
    "tanh": math.tanh,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2,
    "selu": lambda x: 1.05070098 * (x if x > 0 else 1.67326324 * (math.exp(x) - 1)),
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_dense_layer_is_the_activation_of_weights_and_bias(activation):
    layer = keras_layer(Dense(units=2, activation=activation))
    layer.build((None, 2))
    layer.set_weights([np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([0.5, -4.0])])
    expected = [ACTIVATIONS[activation](x) for x in (-1 + 0.5, -2 + 3 - 4)]
    np.testing.assert_allclose(layer(tf.constant([[-1.0, 3.0]]))[0], expected, rtol=1e-5)


def test_dropout_drops_its_share_and_scales_what_is_left():
    layer = keras_layer(Dropout(rate=0.2))
    ones = tf.ones([1, 20_000])
    np.testing.assert_array_equal(layer(ones, training=False), ones)
    tf.keras.utils.set_random_seed(1)
    dropped = layer(ones, training=True).numpy()
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.8)}
    assert np.mean(dropped == 0) == pytest.approx(0.2, abs=0.01)


def test_batch_norm_is_by_column_and_layer_norm_by_row():
    values = np.array([[1.0, 10.0], [3.0, 50.0]], np.float32)
    by_column = keras_layer(BatchNorm())(tf.constant(values), training=True)
    deviations = np.sqrt(np.array([1.0, 400.0]) + 1e-3)
    np.testing.assert_allclose(by_column, (values - [2, 30]) / deviations, rtol=1e-4)
    by_row = keras_layer(LayerNorm())(tf.constant(values), training=True)
    deviations = np.sqrt(np.array([[4.5**2], [23.5**2]]) + 1e-3)
    np.testing.assert_allclose(by_row, (values - [[5.5], [26.5]]) / deviations, rtol=1e-4)


def adam(weight: float, gradients: tuple[float, ...], decay: float = 0.0) -> float:
    m = v = 0.0
    for step, gradient in enumerate(gradients, start=1):
        weight -= 0.1 * decay * weight
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        rate = 0.1 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        weight -= rate * m / (math.sqrt(v) + 1e-7)
    return weight


def adagrad(weight: float, gradients: tuple[float, ...]) -> float:
    squares = 0.1 / 4**2
    for gradient in gradients:
        squares += gradient**2
        weight -= 0.1 * gradient / math.sqrt(squares + 1e-7 / 4)
    return weight


def rmsprop(weight: float, gradients: tuple[float, ...]) -> float:
    squares = 0.0
    for gradient in gradients:
        squares = 0.9 * squares + 0.1 * gradient**2
        weight -= 0.1 * gradient / math.sqrt(squares + 1e-7)
    return weight


def ftrl(weight: float, gradients: tuple[float, ...]) -> float:
    squares, linear = 0.1, 0.0
    for gradient in gradients:
        grown = squares + gradient**2
        linear += gradient - (math.sqrt(grown) - math.sqrt(squares)) / 0.1 * weight
        squares = grown
        weight = -linear / (math.sqrt(squares) / 0.1)
    return weight


BY_HAND = {
    "sgd": lambda weight, gradients: weight - 0.1 * sum(gradients),
    "adam": adam,
    "adamw": lambda weight, gradients: adam(weight, gradients, decay=0.004),
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "ftrl": ftrl,
}


@pytest.mark.parametrize("name", BY_HAND)
def test_two_steps_move_a_weight_as_the_optimizer_says(name):
    """Of a batch of 4, at the learning rate 0.1."""
    weight, gradients = tf.Variable([1.0]), (0.5, -0.25)
    chosen = optimizer(name, 0.1, batch_size=4)
    for gradient in gradients:
        chosen.apply_gradients([(tf.constant([gradient]), weight)])
    assert float(weight[0]) == pytest.approx(BY_HAND[name](1.0, gradients), rel=1e-4)
