"""Wrong models, data and labels: what is said."""

import pathlib
import tempfile
import unittest

import numpy as np
import torch

import command
from escan_cascade import checks, data, package, sources, wrap
from escan_cascade.errors import UserError

VECTOR = [{"name": "x", "datatype": "FP32", "shape": [4]}]
MANIFEST = {"inputs": [{"name": "image", "datatype": "UINT8", "shape": [8, 8, 3]}], "classes": 3,
            "labels": ["a", "b", "c"]}


class Errors(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(self.temporary.name)
        self.addCleanup(self.temporary.cleanup)

    def says(self, expected, function, *arguments, **options):
        with self.assertRaises(UserError) as caught:
            function(*arguments, **options)
        self.assertIn(expected, str(caught.exception))

    def model(self, name):
        return sources.load(f"{command.HERE}/networks.py:{name}")

    def test_models_that_break_the_contract(self):
        self.says("rows must be independent", checks.check, "m", self.model("crossing"), VECTOR)
        self.says("remove random numbers", checks.check, "m", self.model("drawing"), VECTOR)
        self.says("expected a tensor [5, classes]", checks.check, "m", self.model("flat"), VECTOR)

    def test_sources_that_are_none(self):
        self.says("no such file", sources.load, "nothing.onnx")
        self.says("has no function", sources.load, f"{command.HERE}/networks.py:huge")
        (self.folder / "weights.pt").write_bytes(b"PK nothing")
        self.says("cannot be read", sources.load, str(self.folder / "weights.pt"))
        self.says("timm has no model", sources.load, "timm:no_such_net")

    def test_data_that_does_not_fit(self):
        image = np.zeros((40, 8, 8, 3), np.uint8)
        for arrays, expected in (({"picture": image}, "no array image"),
                                 ({"image": image[:, :4]}, "expected [8, 8, 3]"),
                                 ({"image": image.astype(np.float32)}, "expected uint8"),
                                 ({"image": image[:5]}, "expected 20 or more"),
                                 ({"image": image, "labels": np.full(40, 3)}, "expected 0 to 2"),
                                 ({"image": image, "labels": np.zeros(7, int)}, "expected 40 integers")):
            np.savez(self.folder / "data.npz", **arrays)
            self.says(expected, data.load, self.folder / "data.npz", MANIFEST)
        (self.folder / "images" / "d").mkdir(parents=True)
        self.says("no class of that name", data.load, self.folder / "images", MANIFEST)

    def test_the_command_says_it_in_a_line(self):
        done = command.run("calibrate", "nowhere", "--data", "x", "-o", "y", folder=self.folder, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("make it with `escan-cascade export", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


class Formats(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(1)
        self.served = wrap.Served(torch.nn.Linear(4, 3)).eval()
        self.temporary = tempfile.TemporaryDirectory()
        self.addCleanup(self.temporary.cleanup)

    def test_a_temperature_divides_the_logits(self):
        file, _ = package.save(self.served, "m", self.temporary.name, VECTOR, "torchscript", print)
        path = pathlib.Path(self.temporary.name) / file
        package.with_temperature(path, path.with_name("hot.pt"), 2.0)
        rows = checks.random_rows(VECTOR, 6)[0]
        torch.testing.assert_close(torch.jit.load(str(path.with_name("hot.pt")))(rows),
                                   torch.softmax(self.served.network(rows) / 2, 1))

    def test_a_package_of_aot_inductor_answers_batches_of_any_size(self):
        file, loaded = package.save(self.served, "m", self.temporary.name, VECTOR, "pt2", print)
        self.assertEqual(file, "m.pt2")
        self.assertEqual(checks.check("m", loaded, VECTOR, self.served), 3)

    def test_onnx_and_programs_are_sources(self):
        program = torch.export.export(self.served, (torch.zeros(2, 4),),
                                      dynamic_shapes=(({0: torch.export.Dim("rows", min=1)},),))
        path = f"{self.temporary.name}/program.pt2"
        torch.export.save(program, path)
        self.assertEqual(checks.check("m", sources.load(path), VECTOR, self.served), 3)


if __name__ == "__main__":
    unittest.main()
