"""Shows that scripts/check_includes.py finds every kind of forbidden include, and lets allowed ones pass."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "scripts"))
import check_includes  # noqa: E402

TABLE = """
utan_layer(base)
utan_layer(os USES base)
utan_layer(os/linux USES os base)
utan_layer(heap USES os base)
utan_layer(capi USES heap os base)
"""

ALLOWED = {
    "CMakeLists.txt": TABLE,
    "base/types.h": "#include <cstdint>\n",
    "base/check.cc": "#include <unistd.h>\n",
    "os/os.h": '#include "base/types.h"\n',
    "os/linux/file.cc": '#include <sys/stat.h>\n#include "os/os.h"\n',
    "os/linux/testing.h": "#include <sys/wait.h>\n",
    "heap/heap.h": '#include <vector>\n#include "base/types.h"\n#include "os/os.h"\n',
    "heap/heap.cc": '#include "heap/heap.h"\n',
    "heap/heap_test.cc": '#include <unistd.h>\n#include "os/linux/testing.h"\n#include "capi/handle.h"\n',
    "capi/handle.h": '#include <utan/utan.h>\n#include "heap/heap.h"\n',
}


class CheckIncludesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name, text in ALLOWED.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def expect(self, *parts):
        """There is exactly one error, and it has all of `parts` in it."""
        errors = check_includes.check(self.root)
        self.assertEqual(len(errors), 1, errors)
        for part in parts:
            self.assertIn(part, errors[0])

    def test_allowed(self):
        self.assertEqual(check_includes.check(self.root), [])

    def test_upward(self):
        self.write("os/os.h", '#include "base/types.h"\n\n  #  include "heap/heap.h"\n')
        self.expect("src/os/os.h:3", "os may not use heap")

    def test_sideways(self):
        self.write("heap/heap.cc", '#include "os/linux/private.h"\n')
        self.write("os/linux/private.h", "")
        self.expect("src/heap/heap.cc:1", "heap may not use os/linux")

    def test_system_header(self):
        for header in ("unistd.h", "sys/mman.h", "fcntl.h", "linux/futex.h", "fstream", "pthread.h"):
            with self.subTest(header):
                self.write("heap/heap.cc", f"#include <{header}>\n")
                self.expect("src/heap/heap.cc:1", f"<{header}> is for os/ alone")

    def test_exception_is_one_header_of_one_file(self):
        self.write("base/check.cc", "#include <unistd.h>\n#include <fcntl.h>\n")
        self.expect("src/base/check.cc:2", "fcntl.h")

    def test_public_header(self):
        self.write("heap/heap.cc", "#include <utan/utan.h>\n")
        self.expect("src/heap/heap.cc:1", "capi alone")

    def test_path_from_own_folder(self):
        self.write("heap/heap.cc", '#include "heap.h"\n')
        self.expect("src/heap/heap.cc:1", "not a file under src/")

    def test_test_header(self):
        self.write("os/linux/file.cc", '#include "os/linux/testing.h"\n')
        self.expect("src/os/linux/file.cc:1", "is for tests")

    def test_folder_without_layer(self):
        self.write("heap/inner/x.h", "")
        self.expect("src/heap/inner/x.h", "not a layer")

    def test_circle(self):
        self.write("CMakeLists.txt", TABLE.replace("utan_layer(os USES base)", "utan_layer(os USES base heap)"))
        self.expect("os uses heap, which is not a layer before it")

    def test_linked_otherwise(self):
        linked = self.root / "layers.txt"
        right = "base:\nos: base\nos/linux: base os\nheap: base os\ncapi: base os heap\n"
        linked.write_text(right)
        self.assertEqual(check_includes.check(self.root, linked), [])
        linked.write_text(right.replace("heap: base os\n", "heap: base os os/linux\n", 1))
        errors = check_includes.check(self.root, linked)
        self.assertEqual(len(errors), 1, errors)
        self.assertIn("heap is linked to ['base', 'os', 'os/linux']", errors[0])


if __name__ == "__main__":
    unittest.main()
