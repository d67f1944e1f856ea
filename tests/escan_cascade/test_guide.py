"""docs/your_cascade.md: its commands lead to cascades that serve."""

import csv
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from PIL import Image

import command
import networks


def commands():
    """The blocks of commands of the page."""
    page = (command.ROOT / "docs" / "your_cascade.md").read_text()
    return re.findall(r"^```bash\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)


def write_data(folder):
    shutil.copy(command.HERE / "networks.py", folder)
    names = ["top", "middle", "bottom"]
    (folder / "labels.txt").write_text("\n".join(names) + "\n")
    images, labels = networks.shape_images(400, seed=2)
    for index, (image, label) in enumerate(zip(images.numpy(), labels.tolist())):
        of_class = folder / "validation" / names[label]
        of_class.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(of_class / f"{index}.png")
    tokens, labels = networks.texts(400, seed=2)
    with open(folder / "texts.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        rows.writerows((" ".join(map(str, row)), label) for row, label in zip(tokens.tolist(), labels.tolist()))


class Guide(unittest.TestCase):
    def test_its_commands_make_cascades_that_serve_as_predicted(self):
        blocks = commands()
        self.assertGreaterEqual(len(blocks), 4)
        path = f"{command.COMMAND.parent}:{os.environ['ESCAN_BIN']}:{os.environ['PATH']}"
        environment = {key: value for key, value in os.environ.items() if key != "LD_LIBRARY_PATH"}
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            write_data(folder)
            for block in blocks:
                done = subprocess.run(["bash", "-euc", block], cwd=folder, env={**environment, "PATH": path},
                                      capture_output=True, text=True, timeout=command.PATIENCE)
                self.assertEqual(done.returncode, 0, f"{block}\n{done.stderr}")
            for of in ("my_cascade", "my_text"):
                file = json.loads((folder / of / "calibration.json").read_text())
                self.assertIn("calibration: calibration.json", (folder / of / "escand.yaml").read_text())
                self.assertEqual(sum(file["stages"][0]["scores"]["counts"]), 400)
                result = file["report"]
                self.assertEqual(result["samples"], {"finding": 200, "held_out": 200})
                for served, stage in zip(result["served"]["exits"], result["stages"]):
                    self.assertAlmostEqual(served, stage["exits"], delta=0.01)
                self.assertAlmostEqual(result["served"]["accuracy"],
                                       result["stages"][-1]["accuracy"] - result["loss"], delta=0.01)
                self.assertNotIn("http", (folder / of / "report.html").read_text())


if __name__ == "__main__":
    unittest.main()
