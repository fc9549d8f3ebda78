"""The work that is timed, and what shows that its result is the same on every side."""

import hashlib
import os
import shutil
import sys
import time
from dataclasses import dataclass, field

from trees import archive_of

CREATE = """
import os
data = b'x' * 4096
for index in range(20000):
    name = f'zz/d{index // 1000}'
    if index % 1000 == 0: os.mkdir(name)
    file = os.open(f'{name}/f{index}', os.O_CREAT | os.O_WRONLY | os.O_EXCL)
    os.write(file, data)
    os.close(file)
"""
RANDOM = """
import os, random
random.seed(1)
file = os.open('big', os.O_WRONLY)
data = b'y' * 4096
for _ in range(16384): os.pwrite(file, data, random.randrange(65536) * 4096)
"""
SQLITE = """
import sqlite3
db = sqlite3.connect('db', isolation_level=None)
db.execute('pragma synchronous=full')
db.execute('create table t (a integer primary key, b text)')
for index in range(300): db.execute('insert into t (b) values (?)', ('x' * 100,))
"""


@dataclass
class Outcome:
    seconds: float
    digest: str


@dataclass
class Workload:
    name: str
    tree: str
    what: str
    command: str
    # Run before the timed command, and not timed.
    before: str = ""
    # Prints what must be the same everywhere; the sorted lines of the command's own output if not given.
    check: str = ""
    after: str = ""
    cold: bool = False
    warms_up: bool = False
    needs: list = field(default_factory=list)

    def can_run(self):
        return all(map(shutil.which, self.needs)) and not (self.cold and os.geteuid() != 0)

    def run(self, side, disk):
        env = side.environment() | {"PYTHON": sys.executable, "ARCHIVE": str(archive_of(disk / "origin" / self.tree))}
        if self.before:
            side.shell(self.tree, self.before, env)
        if self.cold:
            side.make_cold(self.tree)
        begun = time.perf_counter()
        printed = side.shell(self.tree, self.command, env)
        seconds = time.perf_counter() - begun
        if self.check:
            printed = side.shell(self.tree, self.check, env)
        if self.after:
            side.shell(self.tree, self.after, env)
        lines = sorted(printed.splitlines())
        return Outcome(seconds, hashlib.sha1(b"\n".join(lines)).hexdigest())


def python(script):
    return f'"$PYTHON" -c "{script}"'


def files_of(where):
    return f"find {where} -type f -printf '%p %s\\n'"


READS = [
    Workload("find", "linux", "names of the whole tree", "find .", warms_up=True),
    Workload("find-stat", "linux", "sizes of all files", "find . ! -type d -printf '%s %p\\n'", warms_up=True),
    Workload("rg", "linux", "rg of a rare word", "rg -j2 --no-ignore -c unlikely_word_xyz .", warms_up=True, needs=["rg"]),
    Workload("grep", "linux", "grep -r of a rare word", "grep -r unlikely_word_xyz kernel drivers/net fs", warms_up=True),
    Workload("tar", "linux", "tar of the tree to a pipe", "tar cf - --exclude=./.git . | wc -c", warms_up=True),
    Workload("git-status", "linux", "git status, nothing changed", "git status --porcelain", warms_up=True, needs=["git"]),
    Workload("cold-tar", "linux", "tar of the tree, nothing cached", "tar cf - --exclude=./.git . | wc -c", cold=True),
    Workload("cold-find", "linux", "names of the tree, nothing cached", "find .", cold=True),
]
WRITES = [
    Workload("create-20k", "empty", "20,000 files of 4 KiB", python(CREATE), before="mkdir zz", check=files_of("zz")),
    Workload("rm-20k", "empty", "rm -rf of them", "rm -rf zz", check="ls"),
    Workload("untar", "linux", "tar x of the tree", 'tar xf "$ARCHIVE" -C zz', before="mkdir zz", check=files_of("zz"), needs=["tar"]),
    Workload("rm-untar", "linux", "rm -rf of it", "rm -rf zz", check="ls -A"),
    Workload("cp", "linux", "cp -r of drivers/net", "cp -r drivers/net zz", check=files_of("zz"), after="rm -rf zz"),
    Workload(
        "git-checkout", "linux", "git writes out fs and kernel", "git ls-files fs kernel | git checkout-index -q --prefix=zz/ --stdin",
        check=files_of("zz"), after="rm -rf zz", needs=["git"],
    ),
    Workload("write-1g", "empty", "1 GiB in pieces of 1 MiB", "dd if=/dev/zero of=big bs=1M count=1024", check="sha1sum big"),
    Workload("rewrite-256m", "empty", "256 MiB of it again", "dd if=/dev/zero of=big bs=1M count=256 conv=notrunc", check="wc -c big"),
    Workload("random-write", "empty", "64 MiB in random 4 KiB", python(RANDOM), check="sha1sum big"),
    Workload("read-1g", "empty", "it read", "cat big", check="wc -c big"),
    Workload("cold-read-1g", "empty", "it read, nothing cached", "cat big", check="wc -c big", cold=True, after="rm big"),
    Workload("sqlite", "empty", "300 SQLite transactions, synchronous=FULL", python(SQLITE), check="wc -c db", after="rm db"),
]
BUILDS = [
    Workload(
        "cargo-build", "rust", "cargo build from nothing", "cargo build --offline --quiet", before="rm -rf target",
        check="ls target/debug/compared", after="rm -rf target", needs=["cargo"],
    ),
    Workload(
        "npm-install", "npm", "npm ci from npm's own cache", "npm ci --prefer-offline --ignore-scripts --no-audit --no-fund --silent",
        before="rm -rf node_modules", check=files_of("node_modules"), needs=["npm"],
    ),
    Workload(
        "make", "linux", "make defconfig, then lib/zlib_inflate", "make -s defconfig && make -s -j2 lib/zlib_inflate/",
        before="make -s mrproper", check="ls lib/zlib_inflate", after="make -s mrproper", needs=["make", "gcc", "flex", "bison", "bc"],
    ),
]
ALL = READS + WRITES + BUILDS
