"""Layers of the growing networks in plain numpy, float64: independent statements to compare with."""

import numpy as np

HE = 2**0.5


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def pixel_norm(x):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-8)


def conv(x, layer, gain=HE):
    """Correlation [n, h, w, c] -> [n, h, w, d] with zeros beyond the edges, the kernel scaled at run time."""
    kernel = np.asarray(layer["kernel"], np.float64)
    side, _, channels, features = kernel.shape
    margin, (n, h, w, _) = side // 2, x.shape
    padded = np.pad(x, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
    y = np.zeros((n, h, w, features))
    for i in range(side):
        for j in range(side):
            y += padded[:, i : i + h, j : j + w] @ kernel[i, j]
    return y * gain / np.sqrt(side**2 * channels) + np.asarray(layer.get("bias", 0.0))


def dense(x, layer, gain=HE, rate=1.0):
    kernel = np.asarray(layer["kernel"], np.float64)
    return x @ kernel * (gain * rate / np.sqrt(len(kernel))) + np.asarray(layer.get("bias", 0.0)) * rate


def enlarged(x, times=2):
    return x.repeat(times, 1).repeat(times, 2)


def halved(x):
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4


def blurred(x):
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    rows = (padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]) / 4
    return (rows[:, :, :-2] + 2 * rows[:, :, 1:-1] + rows[:, :, 2:]) / 4


def with_deviation(x, group):
    """One more channel: the standard deviation of image m among images m, m + n/group, m + 2n/group ..."""
    n = len(x)
    extra = np.zeros((*x.shape[:3], 1))
    for m in range(n):
        members = x[m % (n // group) :: n // group]
        extra[m] = np.sqrt(members.var(0) + 1e-8).mean()
    return np.concatenate([x, extra], -1)


def discriminator(params, images, side, group=4, blur=False):
    """The outputs [n, outputs] of a growing discriminator that stands at a side."""
    x = leaky(conv(images, params[f"from_rgb_{side}"]))
    while side > 4:
        x = leaky(conv(x, params[f"conv0_{side}"]))
        x = leaky(halved(conv(blurred(x) if blur else x, params[f"conv1_{side}"])))
        side //= 2
    x = leaky(conv(with_deviation(x, group), params["conv_4"]))
    x = leaky(dense(x.reshape(len(x), -1), params["dense_4"]))
    return dense(x, params["output"], gain=1.0)
