"""check_pages.py PAGES PROGRAM...: the manual page and the completions of each program in the folder
PAGES hold every option and command that the program itself shows, and the shells take them."""

import gzip
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "scripts" / "packaging"))
import program_help  # noqa: E402

PAGES = pathlib.Path(sys.argv[1])
PROGRAMS = [pathlib.Path(path) for path in sys.argv[2:]]


def shown_words(path, *words):
    """Words of --help that are options, found in another way than program_help does."""
    shown = subprocess.run([path, *words, "--help"], capture_output=True, text=True, check=True)
    lines = shown.stdout.partition("Usage:")[2].splitlines()
    return {name for line in lines if line.startswith("  -")
            for name in line.split()[0].split(",")}


def complete_in_bash(path, *words):
    script = """
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        "$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", script, "bash", PAGES / "bash" / path.name, path.name,
                           *words], capture_output=True, text=True, check=True)
    return done.stdout.split()


class Pages(unittest.TestCase):
    def test_a_page_holds_every_option_of_the_program_and_its_commands(self):
        for path in PROGRAMS:
            program = program_help.read_help(path, path.name)
            page, = PAGES.glob(f"man/man*/{path.name}.*.gz")
            text = gzip.decompress(page.read_bytes()).decode().replace("\\-", "-")
            for part in [program, *program.all_commands()]:
                words = shown_words(path, *part.words[1:])
                self.assertGreaterEqual(len(words), 2, part.words)
                for word in words:
                    self.assertIn(f"\\fB{word}\\fR", text, f"{page.name}: {part.words}")
                if not part.commands:
                    self.assertIn(" ".join(part.words[1:]), text)

    def test_mandoc_has_nothing_to_say_of_the_pages(self):
        if shutil.which("mandoc") is None:
            self.skipTest("no mandoc here")
        for page in PAGES.glob("man/man*/*.gz"):
            said = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], capture_output=True,
                                  input=gzip.decompress(page.read_bytes()))
            self.assertEqual((said.returncode, said.stdout), (0, b""), page)


class Completions(unittest.TestCase):
    def test_bash_offers_every_option_of_the_program_and_its_commands(self):
        for path in PROGRAMS:
            program = program_help.read_help(path, path.name)
            for part in [program, *program.all_commands()]:
                offered = complete_in_bash(path, *part.words[1:], "-")
                self.assertEqual(set(offered), shown_words(path, *part.words[1:]), part.words)

    def test_bash_offers_commands_and_listed_values(self):
        path, = (path for path in PROGRAMS if path.name == "escanctl")
        self.assertLessEqual({"show", "set", "search"}, set(complete_in_bash(path, "plan", "s")))
        self.assertIn("status", complete_in_bash(path, "--json", "--timeout", "5s", "st"))
        self.assertEqual(complete_in_bash(path, "simulate", "--arrivals", "p"), ["poisson"])

    def check_with(self, shell, *command):
        if shutil.which(shell) is None:
            self.skipTest(f"no {shell} here")
        done = subprocess.run([shell, *command], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split("\n")

    def test_fish_offers_commands_and_listed_values(self):
        script = "source $argv[1]/fish/escanctl.fish; complete -C $argv[2]"
        for line, expected in (("escanctl plan s", "search"), ("escanctl --js", "--json"),
                               ("escanctl simulate --arrivals c", "constant")):
            offered = self.check_with("fish", "--no-config", "-c", script, PAGES, line)
            self.assertIn(expected, [entry.split("\t")[0] for entry in offered])

    def test_zsh_takes_the_files(self):
        for path in PROGRAMS:
            self.check_with("zsh", "-n", PAGES / "zsh" / f"_{path.name}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
