"""What is compared: each side shows the same trees, and takes writes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from machine import drop_caches, sh


class Side:
    name = ""

    def __init__(self, disk: Path, aether: Path):
        self.top = disk / self.name
        self.top.mkdir()
        self.aether = aether
        self.at = {}

    @staticmethod
    def missing():
        """Why the side cannot be had here, if it cannot."""
        return None

    def add(self, tree, origin):
        """Makes the side show the tree."""
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def shell(self, tree, command, env):
        """What a shell command in the tree prints."""
        return output(["sh", "-c", command], env, self.at[tree])

    def make_cold(self, _tree):
        drop_caches()

    def close(self):
        pass


def output(command, env, place):
    done = subprocess.run(command, cwd=place, env=env, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode not in (0, 1):
        sys.exit(f"compare.sh: in {place}, `{command[-1]}` failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return done.stdout


class Plain(Side):
    name = "plain"

    def add(self, tree, origin):
        self.at[tree] = self.top / tree
        sh(["cp", "-a", str(origin), str(self.at[tree])])


class Aether(Side):
    name = "aether"

    def __init__(self, disk, aether):
        super().__init__(disk, aether)
        for made in ("data", "run", "mnt"):
            (self.top / made).mkdir(mode=0o700)
        self.own = dict(os.environ, AETHER_HOME=str(self.top / "data"), XDG_RUNTIME_DIR=str(self.top / "run"))

    @staticmethod
    def missing():
        return None if os.access("/dev/fuse", os.R_OK | os.W_OK) else "/dev/fuse cannot be opened"

    def call(self, *args):
        return sh([str(self.aether), *map(str, args)], env=self.own)

    def add(self, tree, origin):
        self.at[tree] = self.top / "mnt" / tree
        self.call("source", "create", tree, origin)
        self.call("session", "create", tree, "--source", tree)
        self.call("session", "mount", tree, self.at[tree])

    def make_cold(self, tree):
        # Mounted anew, so that what the mount process has in memory does not help either.
        self.call("session", "unmount", tree)
        drop_caches()
        self.call("session", "mount", tree, self.at[tree])

    def close(self):
        subprocess.run([self.aether, "session", "unmount", "--all"], env=self.own, check=False, capture_output=True)


class Accelerated(Aether):
    """Each command by itself: mounting, and taking in what it wrote, count."""

    name = "aether-accelerate"

    def add(self, tree, origin):
        self.at[tree] = self.top
        self.call("source", "create", tree, origin)
        self.call("session", "create", tree, "--source", tree)

    def shell(self, tree, command, env):
        run = [str(self.aether), "run", tree, "--accelerate", "--", "sh", "-c", command]
        return output(run, env | self.own, self.at[tree])

    def make_cold(self, _tree):
        drop_caches()


class Overlay(Side):
    name = "overlayfs"
    program = ["mount", "-t", "overlay", "overlay"]

    @staticmethod
    def missing():
        return None if os.geteuid() == 0 else "only root can mount it here"

    def add(self, tree, origin):
        self.at[tree] = self.top / tree
        places = {place: self.top / f"{tree}.{place}" for place in ("upper", "work")}
        for made in (self.at[tree], *places.values()):
            made.mkdir()
        options = f"lowerdir={origin},upperdir={places['upper']},workdir={places['work']}"
        sh([*self.program, "-o", options, str(self.at[tree])])

    def close(self):
        for at in self.at.values():
            subprocess.run(["umount", str(at)], check=False)


class FuseOverlay(Overlay):
    name = "fuse-overlayfs"
    program = ["fuse-overlayfs"]

    @staticmethod
    def missing():
        return None if shutil.which("fuse-overlayfs") else "it is not installed"

    def close(self):
        for at in self.at.values():
            subprocess.run(["fusermount3", "-u", str(at)], check=False)


ALL = {side.name: side for side in (Plain, Aether, Accelerated, Overlay, FuseOverlay)}
