"""What scripts/evaluate.py keeps and reports, from results that are made up."""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest
import unittest.mock
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

from evaluation.bench import with_equal_shares
from evaluation.changes import phases
from evaluation.gpu_report import print_gpu_report
from evaluation.grpc import best_plan
from evaluation.lanes import Job, jobs_of, run_jobs
from evaluation.measuring import Budget, Failed, Records, TimeOver, write_configuration
from evaluation.report import print_report, spearman
from evaluation.verification import wrong_in


def sweep(plan, ratio, objective, goodput, repeat=0, settled=True):
    return {"key": {"what": "sweep", "plan": plan, "exit_ratio": ratio, "objective": objective,
                    "repeat": repeat, "device": "an imagined GPU"},
            "goodput_samples_per_s": goodput, "settled": settled}


class InAFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="escan-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


def plan_record(plan, **figures):
    return {"key": {"cascade": "heavy", "plan": plan, "limit": 32, "exit_ratios": [0.5], "rows": 1,
                    "device": "an imagined GPU"}, **figures}


def loaded(**compared):
    """A report of the load generator."""
    return {"compared_samples": {"right": 8, "wrong": 0, "unknown": 0, "first_wrong": None,
                                 **compared}, "errors": []}


class WrongAnswers(InAFolder):
    STAGES = [{"mean_batch": 16.0}, {"mean_batch": 8.0}]

    def setUp(self):
        super().setUp()
        figures = {"samples_per_second": 1000, "p50_seconds": 0.001, "p99_seconds": 0.002,
                   "daemon_cpu_seconds_per_1000": 0.1, "worker_cpu_seconds_per_1000": 0.2,
                   "stages": self.STAGES, "clients": 8}
        self.plans = self.folder / "plans_heavy.json"
        self.plans.write_text("".join(json.dumps(record) + "\n" for record in (
            plan_record("pipeline", wrong="sample 3: nan"), plan_record("sequential", **figures),
            plan_record("only small 1x100", wrong="sample 4: nan"))))

    def test_have_no_row_of_figures_in_the_tables_of_a_gpu(self):
        (self.folder / "grpc_heavy.json").write_text(json.dumps({
            "cascade": "heavy", "plan": "sequential", "limit": 32, "rows": 1, "without_grpc": 1000,
            "escand": {"wrong": "sample 5: nan"}, "echo": {"samples_per_second": 2000}}))
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            print_gpu_report(self.folder)
        for line in ("| pipeline | 32 | *wrong* |  |", "| sequential | 32 | 1,000 |",
                     "| small | 1 × 100 % | 32 | *wrong* |", "\n*wrong*: sample 3: nan.",
                     "| heavy | sequential, 32 | 1 | 1,000 | 2,000 | *wrong* |",
                     "\n*wrong*: sample 5: nan."):
            self.assertIn(line, said.getvalue())

    def test_are_not_those_of_the_best_plan(self):
        self.assertEqual(best_plan(self.plans, "heavy")["key"]["plan"], "sequential")
        self.plans.write_text(json.dumps(plan_record("pipeline", wrong="sample 3: nan")) + "\n")
        with self.assertRaisesRegex(Failed, "no plan of the cascade heavy that answers rightly"):
            best_plan(self.plans, "heavy")

    def test_are_found_in_a_load(self):
        self.assertIsNone(wrong_in(loaded()))
        self.assertEqual(wrong_in(loaded(wrong=1, first_wrong="sample 3: nan")), "sample 3: nan")
        self.assertIn("no right answer is known", wrong_in(loaded(unknown=1)))
        self.assertIn("no right answer is known", wrong_in(loaded(right=0)))
        empty = {**loaded(right=0), "errors": [
            {"code": "BAD_ANSWER", "count": 1, "first_message": "'probabilities' has 0 bytes"}]}
        self.assertEqual(wrong_in(empty), "'probabilities' has 0 bytes")
        empty["errors"][0]["code"] = "UNAVAILABLE"
        with self.assertRaisesRegex(Failed, "a request failed: UNAVAILABLE: "):
            wrong_in(empty)


class Report(InAFolder):
    def write(self, name, *records):
        (self.folder / name).write_text("".join(json.dumps(record) + "\n" for record in records))

    def report(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            print_report(self.folder)
        return said.getvalue()

    def test_nothing_measured_is_nothing_reported(self):
        self.assertEqual(self.report(), "")

    def test_a_cell_compares_the_allocation_with_the_best_fixed_plan(self):
        self.write(
            "grid_heavy.json",
            {"key": {"what": "unbatched", "device": "an imagined GPU"}, "p50_ms": 4.0},
            {**sweep("allocated", 0.3, "tight", 900), "simulated_samples_per_s": 1320},
            sweep("allocated", 0.3, "tight", 1100, 1),
            sweep("allocated", 0.3, "tight", 1200, 2), sweep("pipeline", 0.3, "tight", 500),
            sweep("sequential", 0.3, "tight", 550),
            sweep("allocated", 0.8, "tight", 800), sweep("sequential", 0.8, "tight", 100),
            sweep("pipeline", 0.8, "tight", 0, settled=False))
        report = self.report()
        self.assertIn("### Goodput of heavy on an imagined GPU, samples/s", report)
        self.assertIn("| 0.8 | tight | 800 |  | 100 | 0* |  | 8.00 of sequential |  |  |", report)
        self.assertIn("*: a search ended before", report)
        self.assertIn("samples/s (loose 40.0 ms, tight 12.0 ms)", report)
        self.assertIn("| 0.3 | tight | 1,100 |  | 550 | 500 |  | 2.00 of sequential | 27% | 1.20 |",
                      report)
        self.assertIn("| sequential | 4.00 | 2.00 | 8.00 | 2 of 2 |", report)
        self.assertIn("| pipeline | 2.20 | 2.20 | 2.20 | 1 of 2 |", report)

    def test_a_plan_that_answered_wrongly_has_no_figure(self):
        wrong = sweep("pipeline", 0.3, "tight", None)
        wrong = {"key": {**wrong["key"], "repeat": 1}, "wrong": "sample 3: nan"}
        self.write(
            "grid_heavy.json",
            {"key": {"what": "unbatched", "device": "an imagined GPU"}, "p50_ms": 4.0},
            sweep("allocated", 0.3, "tight", 900), sweep("sequential", 0.3, "tight", 450),
            sweep("pipeline", 0.3, "tight", 1000), wrong)
        report = self.report()
        self.assertIn("| 0.3 | tight | 900 |  | 450 | *wrong* |  | 2.00 of sequential |  |  |",
                      report)
        self.assertIn("\n*wrong*: sample 3: nan.\n", report)
        self.assertNotIn("\n| pipeline |", report)

    def test_predictions_beside_wrong_answers_do_not_count(self):
        figures = {"measured_samples_per_s": 1000,
                   "predicted": {"rate": 1100, "simulated_rate": 1000}}
        self.write("model_heavy.json", {"key": {"plan": "a", "limit": 32}, **figures},
                   {"key": {"plan": "b", "limit": 32}, "wrong": "sample 3: nan"})
        report = self.report()
        self.assertIn("| b | 32 | *wrong* |  |  |  |  |  |  |  |", report)
        self.assertIn("Error of the model: median 10.0%, worst 10.0%", report)

    def test_all_cascades_of_a_device_are_summed_up(self):
        for cascade, allocated in (("heavy", 400), ("text", 94)):
            self.write(f"grid_{cascade}.json",
                       {"key": {"what": "unbatched", "device": "an imagined GPU"}, "p50_ms": 4.0},
                       sweep("allocated", 0.3, "tight", allocated),
                       sweep("sequential", 0.3, "tight", 100))
        report = self.report()
        self.assertIn("### Goodput of the allocation on an imagined GPU, as a multiple", report)
        self.assertIn("| sequential | 1.94 | 0.94 | 4.00 | 2 of 2 |", report)
        self.assertIn("less the larger of 5 % and the spreads, in 1 of 2 cells.", report)
        # With the spread of repetitions it is as good.
        with open(self.folder / "grid_text.json", "a", encoding="utf-8") as lines:
            for repeat, goodput in ((1, 100), (2, 108)):
                lines.write(json.dumps(sweep("sequential", 0.3, "tight", goodput, repeat)) + "\n")
        self.assertIn("in 2 of 2 cells.", self.report())

    def test_predictions_have_errors_and_a_rank_correlation(self):
        self.write("model_heavy.json", *(
            {"key": {"plan": plan, "limit": 32}, "measured_samples_per_s": measured,
             "predicted": {"rate": predicted, "simulated_rate": 1.2 * measured,
                           "worker_bound": predicted, "device_bound": 9000, "bus_bound": None}}
            for plan, measured, predicted in (("a", 1000, 1100), ("b", 2000, 1000),
                                              ("c", 4000, 4200))))
        report = self.report()
        self.assertIn("| a | 32 | 1,000 | 1,100 | +10.0% | 1,200 | +20.0% | 1,100 | 9,000 |  |",
                      report)
        self.assertIn("Error of the model: median 10.0%, worst 50.0%; rank correlation 0.50.",
                      report)
        self.assertIn("Error of the simulator: median 20.0%, worst 20.0%; rank correlation 1.00.",
                      report)

    def test_predictions_of_all_cascades_are_summed_up(self):
        for cascade, measured in (("heavy", 1000), ("text", 500)):
            self.write(f"model_{cascade}.json", {
                "key": {"plan": "a", "limit": 32}, "measured_samples_per_s": measured,
                "predicted": {"rate": 1100, "simulated_rate": measured}})
        report = self.report()
        self.assertIn("Error of the model over all 2 plans: median 65.0%, worst 120.0%.", report)
        self.assertIn("Error of the simulator over all 2 plans: median 0.0%, worst 0.0%; rank "
                      "correlation 1.00.", report)

    def test_a_drift_is_a_table_and_a_plot(self):
        timeline = [{"within": [10 * second]} for second in range(5)]
        self.write("drift_heavy.json", {
            "key": {"rows": 2, "rate_samples_per_s": 100.0, "p99_ms": 40.0}, "timeline": timeline,
            "plan_changes": 2, "failed": 1, "not_sent": 3, "misplaced_samples": 0,
            "phases": [{"exit_ratio": 0.8, "goodput_samples_per_s": 90,
                        "best_plan": "allocated", "best_samples_per_s": 100}]})
        report = self.report()
        self.assertIn("| 0.8 | 90 | allocated | 100 | 0.90 |", report)
        self.assertIn("2 changes of plan; 1 requests failed, 3 were not sent", report)
        plot = ElementTree.parse(self.folder / "drift_heavy.svg").getroot()
        line = plot.find("{http://www.w3.org/2000/svg}polyline")
        self.assertEqual(len(line.get("points").split()), 5)

    def test_ranks_of_equal_values_are_shared(self):
        self.assertAlmostEqual(spearman([1, 2, 2, 3], [10, 20, 20, 30]), 1.0)
        self.assertAlmostEqual(spearman([1, 2, 3], [3, 2, 1]), -1.0)
        self.assertIsNone(spearman([1, 1], [1, 2]))

    def test_devices_are_not_mixed(self):
        other = sweep("sequential", 0.3, "tight", 77)
        other["key"]["device"] = "another"
        self.write("grid_heavy.json",
                   {"key": {"what": "unbatched", "device": "an imagined GPU"}, "p50_ms": 4.0},
                   {"key": {"what": "unbatched", "device": "another"}, "p50_ms": 5.0},
                   sweep("sequential", 0.3, "tight", 55), other)
        report = self.report()
        self.assertIn("| 0.3 | tight |  |  | 55 |", report)
        self.assertIn("| 0.3 | tight |  |  | 77 |", report)
        self.assertNotIn("Goodput of the allocation on", report)


# Notes when it ran and on which GPU, and ends with the status that it is given.
PROGRAM = """
import os, pathlib, sys, time
status, note = int(sys.argv[1]), pathlib.Path(sys.argv[2])
start = time.monotonic()
time.sleep(0.2)
with open(note, "a") as lines:
    print(start, time.monotonic(), os.environ["CUDA_VISIBLE_DEVICES"], sys.argv[3], file=lines)
sys.exit(status)
"""


class Lanes(InAFolder):
    def run_jobs(self, *jobs, seconds=60):
        """Runs jobs, (name, status, names of those before it), on two GPUs; returns their notes."""
        program = self.folder / "program.py"
        program.write_text(PROGRAM)
        notes = self.folder / "notes"
        notes.write_text("")
        with unittest.mock.patch("evaluation.lanes.parts_of_cores", lambda _: [{0}, {0}]), \
                contextlib.redirect_stdout(io.StringIO()):
            try:
                run_jobs([Job(name, (str(status), notes, name), before)
                          for name, status, before in jobs],
                         program, [], ["7", "9"], self.folder, Budget(seconds))
            finally:
                self.notes = {name: (float(start), float(end), gpu) for start, end, gpu, name in
                              (line.split() for line in notes.read_text().splitlines())}
        return self.notes

    def test_jobs_run_side_by_side_but_for_those_that_wait(self):
        ran = self.run_jobs(("a", 0, ()), ("b", 0, ("a",)), ("c", 0, ()), ("d", 0, ("a", "c")))
        self.assertEqual(set(ran), set("abcd"))
        self.assertEqual({ran["a"][2], ran["c"][2]}, {"7", "9"})
        for later, earlier in (("b", "a"), ("d", "a"), ("d", "c")):
            self.assertGreater(ran[later][0], ran[earlier][1])
        for gpu in ("7", "9"):
            times = sorted(times[:2] for times in ran.values() if times[2] == gpu)
            for (_, end), (start, _) in zip(times, times[1:]):
                self.assertGreater(start, end)

    def test_what_waits_for_a_failure_is_not_run(self):
        with self.assertRaisesRegex(Failed, "not measured: a, b, c; "):
            self.run_jobs(("a", 1, ()), ("b", 0, ("a",)), ("c", 0, ("b",)), ("d", 0, ()))
        self.assertEqual(set(self.notes), {"a", "d"})

    def test_what_has_no_time_left_is_named(self):
        with self.assertRaisesRegex(TimeOver, "no time left for a, b"):
            self.run_jobs(("a", 3, ()), ("b", 0, ("a",)))
        with self.assertRaisesRegex(TimeOver, "no time left for a"):
            self.run_jobs(("a", 0, ()), seconds=0)
        self.assertEqual(self.notes, {})

    def test_jobs_of_a_cascade_wait_for_what_they_need(self):
        jobs = jobs_of("heavy", ("allocated", "sequential", "pipeline"))
        names = [job.name for job in jobs]
        self.assertEqual(names[:3], ["profile_heavy", "grid_sequential_heavy",
                                     "grid_allocated_heavy"])
        for place, job in enumerate(jobs):
            for before in job.after:
                self.assertIn(before, names[:place])
        self.assertIn("grid_pipeline_heavy", jobs[names.index("drift_heavy")].after)


class Results(InAFolder):
    def test_a_torn_line_is_measured_again(self):
        file = self.folder / "grid.json"
        Records(file).add({"plan": "a"}, rate=1)
        with open(file, "a", encoding="utf-8") as lines:
            lines.write('{"key": {"pl')
        records = Records(file)
        self.assertEqual(records.find(plan="a")["rate"], 1)
        self.assertIsNone(records.find(plan="b"))
        records.add({"plan": "b"}, rate=2)
        self.assertEqual(Records(file).find(plan="b")["rate"], 2)

    def test_goodput_of_a_phase_counts_from_its_settling(self):
        report = {"offered_samples_per_s": 200,
                  "timeline": [{"start_s": second, "within": [100 if second % 10 >= 3 else 0]}
                               for second in range(30)]}
        best = {0.8: (1000, "a"), 0.3: (150, "b")}
        found = phases(report, seconds=10, settle=3, best=best, rows=2)
        self.assertEqual([phase["goodput_samples_per_s"] for phase in found], [200, 200, 200])
        self.assertEqual([phase["best_samples_per_s"] for phase in found], [200, 150, 200])

    def test_a_configuration_gets_another_plan(self):
        config = self.folder / "escand.yaml"
        config.write_text("cascades:\n  - name: x\n    plan: plans/a.yaml\n")
        other = write_configuration(self.folder, "other", "auto", "profile: p.json")
        self.assertEqual(other.read_text(),
                         "cascades:\n  - name: x\n    profile: p.json\n    plan: auto\n")
        config.write_text("cascades: []\n")
        with self.assertRaisesRegex(Failed, "has 0 lines `plan: ...`, expected one"):
            write_configuration(self.folder, "other", "auto")

    def test_equal_shares_divide_the_device(self):
        plan = "".join(f"  - {{thread_percent: 100, stages: [{stage}]}}\n" for stage in "abc")
        self.assertEqual(with_equal_shares(plan).count("thread_percent: 33,"), 3)


if __name__ == "__main__":
    unittest.main()
