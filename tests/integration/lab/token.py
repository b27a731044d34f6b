"""A SoftHSM2 token: a real PKCS#11 module with its objects in files.

Owns: softhsm2.conf, the token directory and the PIN file below its directory. Programs reach it by
`environment` (SOFTHSM2_CONF), `module`, `label` and `pin_file`; the PIN file has no newline at its
end, as a PIN has none.

Tests of "the HSM is away" hide the token directory and bring it back. SoftHSM keeps objects in
memory, so a process that has the token open notices at its next operation, and only a new process
sees the token again.

SoftHSM writes its token file anew in place at each login, empties it first, and so loses the token
if the program is killed in between. An HSM is a box of its own that does not; `protect` makes the
files as steadfast: SoftHSM logs in as well to a token that it may only read.
"""

import os
import shutil
import subprocess
from pathlib import Path

MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
           "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so")


class Token:
    """A token `label` in `directory`, initialised and with a user PIN."""

    def __init__(self, directory, label="vault01", pin="24681357", so_pin="13572468"):
        self.directory = Path(directory)
        self.label, self.pin, self._so_pin = label, pin, so_pin
        self.variables = {}  # further ones for the environment of programs
        self.tokens = self.directory / "tokens"
        self._hidden = self.directory / "tokens.hidden"
        self.configuration = self.directory / "softhsm2.conf"
        self.pin_file = self.directory / "pin"
        self.module = next((path for path in MODULES if os.path.exists(path)), MODULES[0])
        self.tokens.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(f"directories.tokendir = {self.tokens}\n"
                                      "objectstore.backend = file\n"
                                      "log.level = ERROR\n"
                                      "slots.removable = false\n")
        self.pin_file.write_text(pin)
        self.pin_file.chmod(0o600)
        self._initialise()

    @property
    def environment(self):
        """What a program needs in its environment to see this token and no other."""
        return {"SOFTHSM2_CONF": str(self.configuration), **self.variables}

    def hide(self):
        """The HSM is away: the module finds no token."""
        self.tokens.rename(self._hidden)
        self.tokens.mkdir()
        shutil.copystat(self._hidden, self.tokens)
        self._copy_owner()

    def restore(self):
        """The HSM is back, as it was."""
        shutil.rmtree(self.tokens)
        self._hidden.rename(self.tokens)

    def destroy(self):
        """The HSM is lost with its keys; `tokens` is empty from now on."""
        shutil.rmtree(self.tokens)
        self.tokens.mkdir()

    def give_to(self, user):
        """Let the system user `user` use the token: its files and the PIN become that user's.

        To be repeated after another user (root, in `binvault init`) made keys in it.
        """
        for path in [self.directory, *self.directory.rglob("*")]:
            shutil.chown(path, user)
        self.configuration.chmod(0o644)

    def protect(self, protected=True):
        """From now on its user may only read the token, or, if not `protected`, make keys in it."""
        for path in self.tokens.rglob("*"):
            if path.is_file():
                path.chmod(0o400 if protected else 0o600)

    def objects(self):
        """What pkcs11-tool lists, private objects too, as text."""
        return self.tool("--list-objects")

    def tool(self, *arguments):
        """Run pkcs11-tool, logged in to this token."""
        return self._run("pkcs11-tool", "--module", self.module, "--token-label", self.label,
                         "--login", "--pin", self.pin, *arguments)

    def _initialise(self):
        self._run("softhsm2-util", "--init-token", "--free", "--label", self.label,
                  "--pin", self.pin, "--so-pin", self._so_pin)

    def _copy_owner(self):
        status = self._hidden.stat()
        os.chown(self.tokens, status.st_uid, status.st_gid)

    def _run(self, *argv):
        result = subprocess.run(argv, env={**os.environ, **self.environment}, text=True,
                                stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"{argv[0]} failed: {(result.stderr or result.stdout).strip()}")
        return result.stdout
