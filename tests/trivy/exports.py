"""A home with evidence, and what `exportctl` makes of it."""

import hashlib
import json
import pathlib
import subprocess
import tarfile


class Failed(Exception):
    """A command ended with another code than it should."""


class Home:
    """One home folder. Nothing of the user's own settings."""

    def __init__(self, exportctl, folder):
        self.exportctl = exportctl.resolve()
        self.folder = folder
        self.environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder),
                            "EXPORT_HOME": str(folder), "SOURCE_DATE_EPOCH": "1791936000"}

    def run(self, *words, code=0):
        """Runs a command. Gives its standard output, or what it says where it should fail."""
        done = subprocess.run([self.exportctl, *map(str, words)], env=self.environment,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace")
        if done.returncode != code:
            raise Failed(f"exportctl {' '.join(map(str, words))}: ended with {done.returncode} "
                         f"instead of {code}: {(done.stderr or done.stdout)[-2000:]}")
        return done.stdout if code == 0 else done.stdout + done.stderr

    def imports(self, *paths, form=None, tenant=None):
        """Imports files."""
        words = ["--format", form] * bool(form) + ["--tenant", tenant] * bool(tenant)
        return json.loads(self.run("--json", "ledger", "import", *words, *paths))

    def export(self, profile, out, workers=None):
        """Runs a profile; the archive is `out`."""
        words = ["--workers", workers] * bool(workers)
        return json.loads(self.run("--json", "run", profile, *words, "--out", out))

    def unpack(self, archive, cache):
        """Lays an archive's databases out as Trivy wants them."""
        self.run("unpack", archive, "--trivy-cache", cache)
        return cache

    def database(self, cache, *profiles):
        """Exports each profile and unpacks it into one cache folder."""
        for profile in profiles:
            archive = cache.parent / (profile.replace(":", "-") + f"-{cache.name}.tar")
            self.export(profile, archive)
            self.unpack(archive, cache)
        return cache


def member(archive, path):
    """The bytes of a file in an archive."""
    with tarfile.open(archive) as tar:
        return tar.extractfile(path).read()


def members(archive):
    """The names in an archive."""
    with tarfile.open(archive) as tar:
        return tar.getnames()


def digests(folder):
    """SHA-256 of every file below a folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()}
