"""Each program links only what its part needs: read from the dynamic sections of the build.

That a program cannot reach a network, a token or a key is promised by what is not in it, not only by
what it does not call. Named here is all that each may have; anything else is a failure.
"""

import re
import subprocess
import unittest

from tests.integration.lab import program

QUICK = True

EVERYBODY = {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
# What -fsanitize and --coverage add; a build for shipping has none of them.
INSTRUMENTS = re.compile(r"lib(asan|ubsan|tsan|lsan|gcc_s|m|stdc\+\+|gcov)\.so")
CONFIGURATION = {"libinih.so.1"}
DAEMON = {"libseccomp.so.2", "libcap.so.2", "libjansson.so.4", *CONFIGURATION}
MAY_NEED = {
    # The network and one segment's key: no token, no database, no archives.
    "binvault-pull": {*DAEMON, "libmariadb.so.3", "libssl.so.3", "libcrypto.so.3", "liburing.so.2",
                      "libzstd.so.1", "libdeflate.so.0"},
    # All files and period keys: no TLS, no database client.
    "binvault-keeper": {*DAEMON, "libcrypto.so.3", "libzstd.so.1", "libuuid.so.1"},
    # The PIN and the token: knows neither segments nor binlogs.
    "binvault-hsm": {*DAEMON, "libcrypto.so.3", "libuuid.so.1"},
    # Keys of the requested segments and a directory: no network, no token.
    "binvault-export": {*DAEMON, "libcrypto.so.3", "libzstd.so.1", "libdeflate.so.0",
                        "libarchive.so.13", "libuuid.so.1"},
    # The ledger, and a certificate of its own: no database, no token, no segments.
    "binvault-forward": {*DAEMON, "libssl.so.3", "libcrypto.so.3"},
    # What people type; it starts the others.
    "binvault": {*CONFIGURATION, "libjansson.so.4", "libcrypto.so.3", "libuuid.so.1",
                 "libzstd.so.1", "libdeflate.so.0"},
    # For the administrator's workstation, in no image: the one program with an HTTP client.
    "binvault-firmware-check": {"libjansson.so.4", "libcrypto.so.3", "libcurl.so.4"},
}
# Functions of libc that give a program more than it shall be able to do.
LOADERS = {"dlopen", "dlmopen"}
STARTERS = {"fork", "vfork", "execve", "execv", "execvp", "execl", "execlp", "execvpe", "fexecve",
            "posix_spawn", "posix_spawnp", "system", "popen"}
CONNECTORS = {"getaddrinfo", "gethostbyname"}
# The puller's runner of a credential command is forked before the sandbox, which forbids both.
MAY_CALL = {"binvault-hsm": LOADERS, "binvault-forward": {"getaddrinfo"}, "binvault": STARTERS, "binvault-pull": {"fork", "execve"}}


def read(*arguments):
    return subprocess.run([str(word) for word in arguments], capture_output=True, text=True,
                          check=True).stdout


def needed(name):
    """The shared libraries that the program asks for itself."""
    found = re.findall(r"\(NEEDED\).*\[(.+)\]", read("readelf", "--dynamic", program(name)))
    return {library for library in found if not INSTRUMENTS.match(library)}


def instrumented(name):
    return bool(re.search(r"\[lib(asan|ubsan|tsan|gcov)\.so", read("readelf", "-d",
                                                                    program(name))))


class LinksTest(unittest.TestCase):
    def test_each_program_needs_only_the_libraries_of_its_part(self):
        for name, allowed in MAY_NEED.items():
            with self.subTest(program=name):
                self.assertEqual(needed(name) - allowed - EVERYBODY, set())

    def test_the_puller_and_the_others_do_have_what_they_are_for(self):
        """Else the table above could be true of empty programs."""
        for name, library in (("binvault-pull", "libmariadb.so.3"),
                              ("binvault-keeper", "libuuid.so.1"),
                              ("binvault-hsm", "libcrypto.so.3"),
                              ("binvault-export", "libdeflate.so.0"),
                              ("binvault-forward", "libssl.so.3"),
                              ("binvault", "libinih.so.1")):
            with self.subTest(program=name):
                self.assertIn(library, needed(name))

    def test_none_starts_programs_loads_code_or_looks_up_hosts_by_itself(self):
        for name in MAY_NEED:
            if instrumented(name):
                continue  # the instruments' own calls are undefined symbols as well
            with self.subTest(program=name):
                symbols = set(re.findall(r" U (\w+)", read("nm", "-D", program(name))))
                forbidden = LOADERS | STARTERS | CONNECTORS
                self.assertEqual(symbols & forbidden - MAY_CALL.get(name, set()), set())

    def test_each_is_hardened(self):
        for name in MAY_NEED:
            with self.subTest(program=name):
                dynamic = read("readelf", "-d", program(name))
                segments = read("readelf", "-lW", program(name))
                self.assertIn("PIE", dynamic, "not position independent")
                self.assertRegex(dynamic, r"BIND_NOW|Flags:.*NOW", "binds lazily")
                self.assertNotRegex(dynamic, r"\(TEXTREL\)")
                self.assertNotRegex(dynamic, r"\((RPATH|RUNPATH)\)",
                                    "takes libraries from a place of its own")
                self.assertRegex(segments, r"GNU_RELRO")
                self.assertRegex(segments, r"GNU_STACK .* RW +0x", "its stack is executable")


if __name__ == "__main__":
    unittest.main()
