"""tools/check_layers.py finds what it is there to find, and nothing else."""

import subprocess
import unittest

from tests.integration.lab import PROJECT
from tests.integration.lab.scratch import Scratch

QUICK = True
TABLE = """# Layers
```layers
base:
io: base
crypto: base
program: io base
```
```libraries
liburing: io
openssl: crypto
mysql|mariadb: crypto
```
"""


class LayersTest(unittest.TestCase):
    def setUp(self):
        scratch = Scratch()
        self.addCleanup(scratch.close)
        self.top = scratch.directory("top")
        self.write("src/ARCHITECTURE.md", TABLE)

    def test_a_tree_in_order_has_no_violation(self):
        self.write("src/io/ring.c", '#include "base/error.h"\n#include <liburing.h>\n'
                   "#include <linux/fs.h>\n#include <sys/stat.h>\n"
                   "static const int limits[] = {1, 2};\n"
                   'static const char *const words[2] = {"strcpy(a, b)", "x"};\n'
                   "static const struct option {\n\tint x;\n} options[] = {\n\t{1},\n};\n"
                   "struct ring;\ntypedef int (*callback)(int);\n"
                   "static int (*const table[])(int) = {0};\n"
                   "void walk(struct ring *ring, void (*each)(int));\n"
                   "enum kind { ONE, TWO };\n/* strcpy(a, b); */\n"
                   "int f(int a)\n{\n\tstatic const int b = 1;\n\treturn a + b;\n}\n")
        self.write("src/program/pull.c", "static volatile int stopping;\n")
        self.assertEqual(self.check(), [])

    def test_the_projects_own_table_is_read(self):
        self.write("src/ARCHITECTURE.md", (PROJECT / "src/ARCHITECTURE.md").read_text())
        self.write("src/base/error.c", '#include "volume/frame.h"\n#include <libmariadb/x.h>\n')
        self.assertEqual(len(self.check()), 2)

    def test_includes_upwards_sideways_and_without_a_folder_are_found(self):
        self.write("src/base/a.c", '#include "io/ring.h"\n')
        self.write("src/io/b.c", '#include "crypto/hash.h"\n#include "ring.h"\n')
        self.write("tests/unit/io/test_b.c", '#include "unit/prelude.h"\n#include "crypto/x.h"\n')
        self.assert_found("src/base/a.c:1: base/ may not include \"io/ring.h\"",
                          "src/io/b.c:1: io/ may not include \"crypto/hash.h\"",
                          "src/io/b.c:2: \"ring.h\" must be included from src/ on",
                          "tests/unit/io/test_b.c:2: io/ may not include \"crypto/x.h\"")

    def test_a_library_in_a_foreign_folder_and_an_unknown_one_are_found(self):
        self.write("src/io/b.c", "#include <openssl/evp.h>\n#include <ma_pvio.h>\n"
                   "#include <curl/curl.h>\n")
        self.assert_found("<openssl/evp.h> belongs to crypto", "<ma_pvio.h> belongs to crypto",
                          "<curl/curl.h> is of no library")

    def test_the_program_of_firmware_config_is_held_to_the_same(self):
        self.write("src/ARCHITECTURE.md", (PROJECT / "src/ARCHITECTURE.md").read_text())
        self.write("firmware-config/check/a.c", '#include "base/json.h"\n#include <curl/curl.h>\n'
                   '#include "crypto/hash.h"\n#include <uuid/uuid.h>\nstatic int count;\n')
        self.assert_found("a.c:3: firmware-config/ may not include", "<uuid/uuid.h> belongs to",
                          "a.c:5: mutable")

    def test_what_is_too_large_is_found(self):
        self.write("src/io/b.c", "int f(void)\n{\n" + "\tg();\n" * 99 + "}\n" + "\n" * 700
                   + "\t" * 12 + "12345\n")
        self.write("src/io/b.h", "\n" * 151)
        self.assert_found("src/io/b.c:801: the file has 803 lines", "the line has 101 columns",
                          "src/io/b.c:2: the function has 101 lines",
                          "src/io/b.h:151: the file has 151 lines")

    def test_banned_calls_and_vague_names_are_found(self):
        self.write("src/io/io_util.c",
                   "int f(void)\n{\n\tstrcpy(a, b);\n\treturn x.system(1);\n}\n")
        self.assert_found("src/io/io_util.c:1: the name 'io_util.c'",
                          "src/io/io_util.c:3: strcpy() is banned")

    def test_mutable_state_is_found(self):
        self.write("src/io/b.c", "static int count;\nchar *name = 0;\nstatic const char *last;\n"
                   "static int (*handler)(int);\nint f(void)\n{\n\tstatic int calls = 0;\n"
                   "\treturn calls++;\n}\nstruct {\n\tint a;\n} state;\n")
        self.assert_found("b.c:1: mutable", "b.c:2: mutable", "b.c:3: mutable", "b.c:4: mutable",
                          "b.c:7: static state in a function", "b.c:10: mutable")

    def write(self, name, text):
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def check(self):
        result = subprocess.run([PROJECT / "tools/check_layers.py", self.top], text=True,
                                capture_output=True, check=False)
        lines = result.stdout.splitlines()
        self.assertEqual(result.returncode, 1 if lines else 0, result.stderr)
        return lines

    def assert_found(self, *sentences):
        lines = self.check()
        self.assertEqual(len(lines), len(sentences), lines)
        for sentence in sentences:
            self.assertTrue(any(sentence in line for line in lines), (sentence, lines))


if __name__ == "__main__":
    unittest.main()
