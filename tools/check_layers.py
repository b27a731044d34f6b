#!/usr/bin/python3
"""Check the rules of src/ARCHITECTURE.md that a machine can check; one sentence per violation.

    tools/check_layers.py [TOP]

Read from src/ARCHITECTURE.md: the block ```layers (folder: folders that it may include) and the
block ```libraries (header prefixes: folders that may include them). Checked besides: sizes of
files, headers, functions and lines; names that say nothing; functions that must not be called;
mutable state outside functions. Exit code 1 if anything was found.
"""

import re
import sys
from pathlib import Path

FILE_LINES, HEADER_LINES, FUNCTION_LINES, COLUMNS, TAB = 800, 150, 100, 100, 8
PROGRAMS = ("src", "firmware-config")  # what is shipped; the rest is tests
VAGUE = re.compile(r"(^|_)(util|utils|misc|common|helper|helpers)(_|$)")
BANNED = {
    "strcpy": "snprintf or memcpy with a checked size", "strcat": "snprintf",
    "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "getline", "strtok": "strchr",
    "alloca": "a buffer with a named maximum", "system": "posix_spawn with an argument list",
    "popen": "posix_spawn with an argument list", "atoi": "the parsers of base/units.h"}
# Tests may run a command line: they have no input but their own.
TESTS_MAY = {"popen", "system"}
# Only there may state outlive a function: the programs' signal flags, the log's destination, whom a
# process tells that it goes on, the one algorithm that is looked up once for all hashes, and what
# bounds a thread's calls of libmariadb, whose callbacks are told nothing.
STATE_ALLOWED = re.compile(
    r"^src/program/|^src/base/log\.c$|^src/io/watchdog\.c$|^src/crypto/hash\.c$"
    r"|^src/pull/waiting\.c$")
# Headers of a library whose names do not begin with the library's.
ALIASES = {"mysql": ("mysqld_error", "errmsg", "ma_"), "liburing": ("liburing",)}
SYSTEM = set(
    "assert complex ctype dirent dlfcn err errno fcntl fenv float fnmatch ftw getopt glob grp "
    "ifaddrs inttypes iso646 langinfo libgen limits linux locale malloc math mntent netdb poll "
    "pthread pty pwd regex sched search semaphore setjmp shadow signal spawn stdalign stdarg "
    "stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings syslog termios threads time "
    "uchar ucontext unistd utime wchar wctype endian byteswap features getauxval".split())
SYSTEM_FOLDERS = {"sys", "linux", "net", "netinet", "arpa", "asm", "bits"}


class Source:
    """One C file: its lines as they are, and `code`, the same with comments and texts blanked."""

    def __init__(self, top, path):
        self.name = str(path.relative_to(top))
        self.parts = path.relative_to(top).parts
        text = path.read_text(encoding="utf-8", errors="replace")
        self.lines = text.splitlines()
        self.code = blank(text)


def blank(text):
    """Comments and the insides of literals become blanks; line numbers stay."""
    pattern = re.compile(
        r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

    def replace(match):
        token = match.group()
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token[0] + " " * (len(token) - 2) + token[0]

    # An include's file name looks like a text: includes are read from `lines`.
    return pattern.sub(replace, text)


def read_block(text, name):
    """The block ```name of ARCHITECTURE.md as [(left words, right words)]."""
    match = re.search(rf"^```{name}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    if match is None:
        sys.exit(f"check_layers: src/ARCHITECTURE.md has no block ```{name}")
    rows = []
    for line in match.group(1).splitlines():
        left, colon, right = line.partition(":")
        if not colon:
            sys.exit(f"check_layers: src/ARCHITECTURE.md: block {name}: '{line}' has no colon")
        rows.append((re.split(r"[\s|]+", left.strip()), right.split()))
    return rows


def check_table(layers):
    """The table itself: only known folders, and no folder above one that may include it."""
    seen = set()
    for folder, below in layers.items():
        for other in below:
            if other not in seen:
                yield (f"src/ARCHITECTURE.md: folder {folder} may include {other}, which does not "
                       "stand above it in the table")
        seen.add(folder)


def check_includes(source, layers, libraries):
    """Folders only of the layers below, libraries only in the folder that owns them."""
    folder = owner(source)
    for number, line in enumerate(source.lines, 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^">]+)[">]', line)
        if match is None:
            continue
        kind, header = match.groups()
        where = f"{source.name}:{number}"
        if kind == '"':
            yield from check_own(where, folder, header, layers)
        elif source.parts[0] in PROGRAMS:
            yield from check_library(where, folder, header, libraries)


def owner(source):
    """The layer that a file belongs to; tests/unit/FOLDER/… belongs to FOLDER."""
    parts = source.parts
    if parts[0] == "firmware-config":
        return parts[0]
    if parts[0] == "src":
        return parts[1] if len(parts) > 2 else ""
    return parts[2] if len(parts) > 3 and parts[1] in ("unit", "fuzz") else ""


def check_own(where, folder, header, layers):
    target, slash, _ = header.partition("/")
    if not slash:
        yield f'{where}: "{header}" must be included from src/ on, as "folder/file.h"'
    elif target in layers and folder in layers and target not in [folder, *layers[folder]]:
        yield (f"{where}: {folder}/ may not include \"{header}\": the layers allow it "
               f"{', '.join(layers[folder]) or 'nothing'}")
    elif target not in layers and folder in layers and where.startswith("src/"):
        yield f'{where}: "{header}" is in no folder of the table in src/ARCHITECTURE.md'


def check_library(where, folder, header, libraries):
    for names, folders in libraries:
        prefixes = [prefix for name in names for prefix in (name, *ALIASES.get(name, ()))]
        if any(header.startswith(prefix) and not header[len(prefix):len(prefix) + 1].isalpha()
               or prefix.endswith("_") and header.startswith(prefix) for prefix in prefixes):
            if folder not in folders:
                yield (f"{where}: <{header}> belongs to {' and '.join(folders)}, not to "
                       f"{folder}: include it there and offer what is needed")
            return
    first = header.partition("/")[0].removesuffix(".h")
    if first not in SYSTEM and first not in SYSTEM_FOLDERS:
        yield f"{where}: <{header}> is of no library named in src/ARCHITECTURE.md"


def check_sizes(source):
    """Files, headers, functions and lines are small enough to read."""
    limit = HEADER_LINES if source.name.endswith(".h") and source.parts[0] in PROGRAMS else FILE_LINES
    if len(source.lines) > limit:
        yield (f"{source.name}:{limit + 1}: the file has {len(source.lines)} lines, more than "
               f"{limit}")
    for number, line in enumerate(source.lines, 1):
        width = len(line.expandtabs(TAB))
        if width > COLUMNS:
            yield f"{source.name}:{number}: the line has {width} columns, more than {COLUMNS}"
    for begin, end in functions(source):
        if end - begin + 1 > FUNCTION_LINES:
            yield (f"{source.name}:{begin}: the function has {end - begin + 1} lines, more than "
                   f"{FUNCTION_LINES}")


def functions(source):
    """(first, last) line of each function's body; its braces stand alone in the first column."""
    begin = None
    for number, line in enumerate(source.code.splitlines(), 1):
        if line.rstrip() == "{" and begin is None:
            begin = number
        elif line.startswith("}") and begin is not None:
            yield begin, number
            begin = None


def check_names(source):
    for part in source.parts:
        if VAGUE.search(Path(part).stem):
            yield f"{source.name}:1: the name '{part}' says nothing about what is in it"


def check_calls(source):
    for number, line in enumerate(source.code.splitlines(), 1):
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", line):
            if source.parts[0] == "tests" and match.group(1) in TESTS_MAY:
                continue
            if match.group(1) in BANNED:
                yield (f"{source.name}:{number}: {match.group(1)}() is banned: use "
                       f"{BANNED[match.group(1)]}")


def check_state(source):
    """No mutable state outside functions; best effort, a declaration at a time."""
    if source.parts[0] not in PROGRAMS or STATE_ALLOWED.match(source.name):
        return
    inside = set()
    for begin, end in functions(source):
        inside.update(range(begin, end + 1))
    for number, line in enumerate(source.code.splitlines(), 1):
        if number in inside and re.match(r"\s+static\b", line) and mutable(line):
            yield f"{source.name}:{number}: static state in a function: pass it in an object"
    for number, text in declarations(source.code, inside):
        if mutable(text):
            yield (f"{source.name}:{number}: mutable state outside functions: "
                   f"'{' '.join(text.split())[:60]}'")


def declarations(code, inside):
    """(line, text) of each declaration outside functions, with {…} taken out."""
    text, begin, depth, continued = "", 0, 0, False
    for number, line in enumerate(code.splitlines(), 1):
        directive = continued or line.lstrip().startswith("#")
        continued = directive and line.rstrip().endswith("\\")
        if directive:
            continue
        if number in inside:
            text, depth = "", 0  # what was collected was this function's head
            continue
        for character in line + "\n":
            if character == "{":
                depth += 1
                text += " {} " if depth == 1 else ""
            elif character == "}":
                depth -= 1
            elif depth == 0:
                if not text.strip():
                    begin = number
                if character == ";":
                    yield begin, text
                    text = ""
                else:
                    text += character


def mutable(text):
    """Whether a declaration defines an object that can change."""
    head, equals, _ = text.partition("=")
    head = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", head, flags=re.DOTALL)
    words = head.split()
    if not words or words[0] in ("typedef", "_Static_assert", "static_assert", "}"):
        return False
    if re.match(r"(static\s+)?(const\s+)?(struct|enum|union)\s*\w*\s*(\{\})?\s*$", head.strip()):
        return False  # a type
    if not equals and words[0] in ("extern",) and "(" not in head:
        return "const" not in words
    if "(" in head and not re.match(r"[^()]*\(\s*\*\s*(const\s+)?\w+\s*(\[.*?\]\s*)?\)", head):
        return False  # a function, not a pointer to one
    if re.match(r"[A-Z_]+\s*\(", head.strip()):
        return False  # a macro
    if "(" in head:
        return re.search(r"\*\s*const\b", head) is None
    pointer = head.rpartition("*")
    if pointer[1]:
        return re.search(r"\bconst\b", pointer[2]) is None
    return re.search(r"\bconst\b", head) is None


def check(top):
    """All violations below `top`, as sentences."""
    text = (top / "src" / "ARCHITECTURE.md").read_text(encoding="utf-8")
    layers = {left[0]: right for left, right in read_block(text, "layers")}
    libraries = read_block(text, "libraries")
    yield from check_table(layers)
    for entry in sorted((top / "src").iterdir()):
        if entry.is_dir() and entry.name not in layers:
            yield f"src/{entry.name}:1: the folder is not in the table of src/ARCHITECTURE.md"
    paths = sorted(path for folder in (*PROGRAMS, "tests") for path in (top / folder).rglob("*.[ch]"))
    for path in paths:
        source = Source(top, path)
        yield from check_includes(source, layers, libraries)
        yield from check_sizes(source)
        yield from check_names(source)
        yield from check_calls(source)
        yield from check_state(source)


def main():
    """The command line."""
    top = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[1])
    violations = list(check(top.resolve()))
    for sentence in violations:
        print(sentence)
    if violations:
        print(f"check_layers: {len(violations)} violations", file=sys.stderr)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
