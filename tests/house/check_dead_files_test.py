"""Shows that scripts/check_dead_files.py finds files that nothing reaches, and takes each way of reaching for one."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))
import check_dead_files  # noqa: E402

ALIVE = {
    ".gitignore": "/build/\n",
    "Makefile": "models:\n\tmodels/run.sh quick\ninclude-table:\n\tpython3 scripts/first.py\n",
    "README.md": "Read [the design](docs/DESIGN.md).\n",
    "CMakeLists.txt": "include(Layer)\nadd_subdirectory(src)\nadd_subdirectory(tests)\nadd_subdirectory(bench)\n",
    "cmake/Layer.cmake": "function(utan_layer)\n",
    "src/CMakeLists.txt": "utan_layer(base)\nutan_layer(os/linux USES base)\n",
    "src/base/a.cc": '#include "base/b.h"\n',
    "src/base/a.h": "",
    "src/base/b.h": "",
    "src/base/a_test.cc": "#include <utan/utan.h>\n",
    "src/os/linux/file.cc": "",
    "include/utan/utan.h": "",
    "tests/CMakeLists.txt": (
        'file(GLOB_RECURSE x "${PROJECT_SOURCE_DIR}/src/*_test.cc")\nfile(GLOB y "${HERE}/*_test.cc")\n'),
    "tests/whole_test.cc": '#include "helper.h"\n',
    "tests/helper.h": "",
    "bench/CMakeLists.txt": "add_executable(bench main.cc\n  adapters/map.cc)\n",
    "bench/main.cc": "",
    "bench/adapters/map.cc": "",
    "models/run.sh": 'here=$(dirname "$0")\nspin "$here/pin.pml"\n',
    "models/pin.pml": '#include "shared.pml"\n',
    "models/shared.pml": "",
    "scripts/first.py": "import second\n",
    "scripts/second.py": "",
    "docs/DESIGN.md": "See [the format](FORMAT.md) and ![this](../bench/picture.png).\n",
    "docs/FORMAT.md": "",
    "bench/picture.png": "",
    "bench/results/.gitignore": "*\n",
    "build/anything.cc": "",
}


class CheckDeadFilesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "-q", folder.name], check=True)
        for name, text in ALIVE.items():
            self.write(name, text)

    def write(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def dead(self):
        return check_dead_files.dead_files(self.root, check_dead_files.list_files(self.root))

    def test_alive(self):
        self.assertEqual(self.dead(), [])

    def test_each_kind_of_dead_file(self):
        for name in ("src/base/unused.h", "src/base/inner/x.cc", "src/nowhere/x.cc", "include/utan/old.h",
                     "models/old.pml", "bench/old.cc", "scripts/old.py", "docs/OLD.md", "tests/old.h", "tests/old.cc",
                     "cmake/Old.cmake"):
            with self.subTest(name):
                self.write(name)
                self.assertEqual(self.dead(), [name])
                (self.root / name).unlink()

    def test_what_only_the_dead_reach_is_dead(self):
        self.write("src/base/old.h", '#include "base/older.h"\n')
        self.write("src/base/older.h")
        self.assertEqual(self.dead(), ["src/base/old.h", "src/base/older.h"])

    def test_a_comment_in_a_source_reaches_nothing(self):
        self.write("bench/main.cc", "// See docs/NOTES.md and bench/old.cc.\n")
        self.write("docs/NOTES.md")
        self.write("bench/old.cc")
        self.assertEqual(self.dead(), ["bench/old.cc", "docs/NOTES.md"])


if __name__ == "__main__":
    unittest.main()
