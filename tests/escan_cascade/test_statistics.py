"""The statistics against what is known of them, and against simulation."""

import unittest

import numpy as np

from escan_cascade import statistics, thresholds, watched


class Interval(unittest.TestCase):
    def test_without_differences_it_is_that_of_the_score_method(self):
        low, high = statistics.paired_interval(0, 0, 100)  # z^2 / (n + z^2)
        self.assertAlmostEqual(high, 3.8415 / 103.8415, places=4)
        self.assertAlmostEqual(low, -high, places=6)

    def test_it_covers_the_truth_in_95_of_100_samples(self):
        random = np.random.default_rng(1)
        covered = 0
        for _ in range(1000):
            gained, lost, _ = random.multinomial(200, [0.01, 0.04, 0.95])
            low, high = statistics.paired_interval(gained, lost, 200)
            covered += low <= -0.03 <= high
        self.assertGreater(covered, 925)
        self.assertLess(covered, 985)

    def test_so_many_samples_as_it_says_prove_the_loss(self):
        needed = statistics.samples_to_prove(1, 2, 500, 0.01)
        factor = needed / 500
        self.assertGreaterEqual(statistics.paired_interval(factor, 2 * factor, needed)[0], -0.0101)
        self.assertGreater(needed, 500)

    def test_a_loss_that_is_seen_cannot_be_disproved(self):
        self.assertIsNone(statistics.samples_to_prove(0, 10, 500, 0.01))


class Temperature(unittest.TestCase):
    def test_it_finds_by_how_much_logits_are_too_large(self):
        random = np.random.default_rng(1)
        logits = random.normal(size=(20000, 4)) * 2
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        labels = np.array([random.choice(4, p=each) for each in p])
        hot = np.exp(3 * logits) / np.exp(3 * logits).sum(1, keepdims=True)
        self.assertAlmostEqual(statistics.fit_temperature(hot, labels), 3.0, delta=0.1)


class Thresholds(unittest.TestCase):
    def setUp(self):
        random = np.random.default_rng(1)
        self.scores = random.random((3, 2000)).astype(np.float32)
        self.right = np.stack([random.random(2000) < self.scores[0], random.random(2000) < 0.97,
                               random.random(2000) < 0.98])
        self.costs = np.array([1.0, 3.0, 10.0])

    def test_the_choice_is_the_cheapest_within_the_loss(self):
        points = thresholds.all_points(self.scores, self.right, self.costs)
        best, _ = thresholds.choose(points, 0.05)
        self.assertLessEqual(best.loss, 0.05)
        self.assertLess(best.cost, 10.0)

    def test_costs_are_those_of_all_stages_that_a_sample_meets(self):
        self.assertAlmostEqual(thresholds.run(self.scores, self.right, self.costs, [np.inf, np.inf]).cost, 14.0)
        self.assertAlmostEqual(thresholds.run(self.scores, self.right, self.costs, [0.0, 0.0]).cost, 1.0)

    def test_nothing_is_called_proven_that_few_samples_cannot_prove(self):
        few = slice(0, 40)
        points = thresholds.all_points(self.scores[:, few], self.right[:, few], self.costs)
        self.assertFalse(thresholds.choose(points, 0.005)[1])


class Watched(unittest.TestCase):
    def test_bins_hold_equal_parts_of_the_scores(self):
        found = watched.histogram(np.random.default_rng(1).random(1000))
        self.assertEqual(found["counts"], [100] * 10)
        self.assertEqual(found["edges"], sorted(set(found["edges"])))

    def test_an_edge_belongs_to_the_bin_above_and_equal_scores_stay_together(self):
        found = watched.histogram([0.5] * 40 + [1.0] * 60)
        self.assertEqual(found, {"edges": [1.0], "counts": [40, 60]})

    def test_too_few_or_too_equal_scores_make_no_bins(self):
        self.assertIsNone(watched.histogram([]))
        self.assertIsNone(watched.histogram([0.1 * i for i in range(9)]))
        self.assertIsNone(watched.histogram([1.0] * 1000))

    def test_a_stage_has_the_scores_of_what_reaches_it(self):
        config = {"name": "digits", "stages": [
            {"name": "small", "exit": {"score": "max_probability", "threshold": 0.5}},
            {"name": "middle", "exit": {"score": "none"}}, {"name": "large"}]}
        scores = np.stack([np.arange(100) / 100, np.zeros(100), np.arange(100) / 100])
        file, left_out = watched.calibration(config, scores)
        self.assertEqual(left_out, [])
        self.assertEqual([sum(stage.get("scores", {"counts": []})["counts"]) for stage in file["stages"]],
                         [100, 0, 50])
        self.assertEqual(file["stages"][1], {"name": "middle", "score": "none"})


if __name__ == "__main__":
    unittest.main()
