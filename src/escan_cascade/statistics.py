"""The statistics of paired accuracies, and of calibration."""

import math

import numpy as np

TWO_SIDED_95 = 1.959964
ONE_SIDED_95 = 1.644854


def tango_z(gained, lost, samples, difference):
    """The score statistic of a paired difference of proportions.

    Of `samples` pairs, `gained` are right in the first way alone and `lost` in the second alone; the
    hypothesis is that the first's accuracy minus the second's is `difference`. Positive: the data lie
    above it. Tango 1998, Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design, Statistics in Medicine 17:891, formulas 4 to 6. Takes arrays.
    """
    gained, lost = np.asarray(gained, float), np.asarray(lost, float)
    a = 2.0 * samples
    b = -gained - lost + (2.0 * samples - gained + lost) * difference
    c = -lost * difference * (1.0 - difference)
    q = (np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
    variance = samples * (2.0 * q + difference * (1.0 - difference))
    return (gained - lost - samples * difference) / np.sqrt(np.maximum(variance, 1e-12))


def paired_interval(gained, lost, samples, z=TWO_SIDED_95):
    """The score interval of the difference: those that `tango_z` does not reject, by bisection."""
    def bound(low, high, target):
        for _ in range(60):
            middle = (low + high) / 2
            if float(tango_z(gained, lost, samples, middle)) > target:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    estimate = (gained - lost) / samples
    return bound(-1 + 1e-9, estimate, z), bound(estimate, 1 - 1e-9, -z)


def samples_to_prove(gained, lost, samples, loss):
    """So many held-out samples, with these ratios, prove that no more than `loss` is lost; None: none do."""
    if (lost - gained) / samples >= loss:
        return None
    factor = 1.0
    while paired_interval(gained * factor, lost * factor, samples * factor)[0] < -loss:
        factor *= 1.02
        if factor > 1e5:
            return None
    return math.ceil(samples * factor)


def fit_temperature(probabilities, labels):
    """The T that minimises the negative log-likelihood of softmax(log p / T).

    Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2; golden section of log T in
    [0.05, 20], where the likelihood is unimodal (it is convex in 1/T).
    """
    logits = np.log(np.maximum(probabilities.astype(np.float64), 1e-30))

    def loss(log_t):
        scaled = logits / math.exp(log_t)
        top = scaled.max(1)
        return float(np.mean(np.log(np.exp(scaled - top[:, None]).sum(1)) + top
                             - scaled[np.arange(len(labels)), labels]))

    low, high, ratio = math.log(0.05), math.log(20.0), (math.sqrt(5) - 1) / 2
    for _ in range(60):
        one, two = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, two) if loss(one) < loss(two) else (one, high)
    return math.exp((low + high) / 2)


def reliability(confidence, right, bins=10):
    """[(mean confidence, accuracy, samples)] of equal-width bins that hold samples."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return [(float(confidence[place == i].mean()), float(right[place == i].mean()), int((place == i).sum()))
            for i in range(bins) if (place == i).any()]


def calibration_error(confidence, right):
    """Expected calibration error: Naeini et al. 2015, with ten bins."""
    return sum(abs(mean - accuracy) * count for mean, accuracy, count in reliability(confidence, right)) / len(right)
