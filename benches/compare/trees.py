"""The trees that are worked on, from what the registries have."""

import shutil
import subprocess
from pathlib import Path

from machine import say, sh

CRATES = ["serde@1 --features derive", "regex@1", "clap@4 --features derive", "syn@2 --features full"]
PACKAGES = ["typescript", "webpack", "eslint", "react", "jest", "prettier", "lodash", "express"]


def prepare(wanted, given, disk, base):
    """Directories by name of tree; one that cannot be had is left out, and said so."""
    origins = {}
    for tree in wanted:
        origin = disk / "origin" / tree
        origin.parent.mkdir(exist_ok=True)
        try:
            if given.get(tree):
                sh(["cp", "-a", "--reflink=auto", str(given[tree].resolve()), str(origin)])
            else:
                globals()[f"make_{tree}"](origin, base)
            finish(tree, origin)
            origins[tree] = origin
        except Missing as missing:
            say(f"{tree}: left out, {missing}")
    return origins


class Missing(Exception):
    """What a tree is made from is not there."""


def make_empty(origin, _base):
    origin.mkdir()


def make_linux(origin, base):
    """Debian's package of the kernel's source, unpacked without being installed."""
    if not shutil.which("apt-get"):
        raise Missing("give a kernel source tree with --linux")
    say("linux: fetching Debian's linux-source")
    names = subprocess.run("apt-cache depends linux-source | sed -n 's/ *Depends: //p'", shell=True, text=True, capture_output=True)
    package = names.stdout.split()
    if not package or subprocess.run(["apt-get", "download", "-q", package[0]], cwd=base, capture_output=True).returncode:
        raise Missing("`apt-get download linux-source` fails; give a kernel source tree with --linux")
    unpacked = base / "package"
    sh(["dpkg-deb", "-x", str(next(base.glob(f"{package[0]}*.deb"))), str(unpacked)])
    origin.mkdir()
    sh(["tar", "xf", str(next(unpacked.glob("usr/src/*.tar.*"))), "--strip-components=1", "-C", str(origin)])


def make_rust(origin, _base):
    if not shutil.which("cargo"):
        raise Missing("there is no cargo")
    say("rust: making a cargo project")
    sh(["cargo", "init", "--quiet", "--vcs", "none", "--name", "compared", str(origin)])
    for crate in CRATES:
        sh(["cargo", "add", "--quiet", *crate.split()], cwd=origin)
    sh(["cargo", "fetch", "--quiet"], cwd=origin)


def make_npm(origin, _base):
    if not shutil.which("npm"):
        raise Missing("there is no npm")
    say("npm: installing packages")
    origin.mkdir()
    sh(["npm", "init", "-y"], cwd=origin)
    sh(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", *PACKAGES], cwd=origin)


def finish(tree, origin):
    """The kernel's tree is a git repository, packed as a clone has it."""
    if tree == "linux" and not (origin / ".git").exists():
        say("linux: making it a git repository")
        git = ["git", "-C", str(origin), "-c", "user.name=compare", "-c", "user.email=compare@localhost", "-c", "gc.auto=0"]
        sh([*git, "init", "-q"])
        # Its own rules leave files out that the archive has.
        sh([*git, "add", "-A", "-f"])
        sh([*git, "commit", "-q", "-m", "all"])
        sh([*git, "repack", "-a", "-d", "-q"])
        sh([*git, "config", "gc.auto", "0"])
    if tree == "linux":
        archive = archive_of(origin)
        sh(["tar", "cf", str(archive), "--exclude=./.git", "-C", str(origin), "."])


def archive_of(origin: Path) -> Path:
    return origin.parent / f"{origin.name}.tar"
