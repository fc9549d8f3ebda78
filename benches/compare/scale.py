"""Times commands on trees of several sizes, and prints a table: a line a command, a column a size.

What is to cost the same whatever the size, and what is to cost what changed, then shows as lines of equal numbers."""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

FILES_OF_DIR, DIRS_OF_DIR = 50, 20
CHANGED = 10
SUFFIXES = {"k": 1000, "M": 1000000}

# Name, what may make it dearer, and the limit in milliseconds, if there is one.
WORK = [
    ("import", "files", None),
    ("import again", "files", None),
    ("session create", "nothing", 10),
    ("session mount, ls", "nothing", 60),
    ("status, clean", "nothing", 30),
    ("write 10 files", "the 10 files", None),
    ("status", "the 10 files", 30),
    ("diff", "the 10 files", 30),
    ("checkpoint", "the 10 files", 30),
    ("fork", "nothing", 10),
    ("restore", "the 10 files", 30),
    ("unmount", "nothing", None),
    ("gc, nothing to free", "what is stored", None),
    ("gc, a tree to free", "what is stored", None),
]


def arguments():
    parser = argparse.ArgumentParser(
        prog="benches/scale.sh",
        description="Time commands on generated trees of several sizes.",
        epilog="example: benches/scale.sh --sizes 1k,10k,100k,1M --json scale.json",
    )
    parser.add_argument("--aether", type=Path, help="the program to measure (default: target/release/aether, built if missing)")
    parser.add_argument("--sizes", type=sizes, default=sizes("1k,10k,100k"), help="numbers of files (default: 1k,10k,100k; 1M takes minutes)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each is done, of which the median counts (default: 5)")
    parser.add_argument("--dir", type=Path, help="where to work (default: a directory below /var/tmp, removed at the end)")
    parser.add_argument("--json", type=Path, help="write every time that was taken")
    return parser.parse_args()


def sizes(text):
    found = []
    for word in text.split(","):
        number, factor = (word[:-1], SUFFIXES[word[-1]]) if word[-1:] in SUFFIXES else (word, 1)
        found.append(int(number) * factor)
    return found


def plant(top: Path, files: int):
    """A tree of small files, all of other bytes, of which no directory is large."""
    for at in range(files):
        if at % FILES_OF_DIR == 0:
            number = at // FILES_OF_DIR
            place = top / f"part{number // DIRS_OF_DIR // DIRS_OF_DIR}" / f"group{number // DIRS_OF_DIR % DIRS_OF_DIR}" / f"dir{number % DIRS_OF_DIR}"
            place.mkdir(parents=True)
        with open(place / f"file{at % FILES_OF_DIR}.txt", "wb") as file:
            file.write(b"file %d of a tree that is generated\n" % at * 8)


class Bench:
    def __init__(self, aether: Path, base: Path, files: int, rounds: int):
        self.aether, self.base, self.rounds = aether, base, rounds
        self.origin, self.mount = base / "origin", base / "mnt"
        self.seconds = {name: [] for name, *_ in WORK}
        for made in ("data", "run", "origin", "mnt"):
            (base / made).mkdir(parents=True, mode=0o700)
        self.env = dict(os.environ, AETHER_HOME=str(base / "data"), XDG_RUNTIME_DIR=str(base / "run"))
        self.env.pop("AETHER_SESSION", None)
        plant(self.origin, files)
        self.paths = sorted(path for path in self.mount_paths(files))

    def mount_paths(self, files):
        """Ten files far from each other."""
        step = max(files // CHANGED, 1)
        for at in range(0, files, step):
            number = at // FILES_OF_DIR
            yield f"part{number // DIRS_OF_DIR // DIRS_OF_DIR}/group{number // DIRS_OF_DIR % DIRS_OF_DIR}/dir{number % DIRS_OF_DIR}/file{at % FILES_OF_DIR}.txt"

    def call(self, *args):
        return machine.sh([str(self.aether), *args], env=self.env, cwd=self.base)

    def timed(self, name, work):
        begun = time.perf_counter()
        result = work()
        self.seconds[name].append(time.perf_counter() - begun)
        return result

    def command(self, name, *args):
        return self.timed(name, lambda: self.call(*args))

    def run(self):
        for number in range(self.rounds):
            # Stored under another name and thrown away, so that each round stores it anew.
            self.command("import", "source", "create", f"old{number}", str(self.origin))
            self.command("import again", "source", "refresh", f"old{number}")
            self.call("source", "delete", f"old{number}")
            self.command("gc, a tree to free", "store", "gc", "--trash-days", "0")
        self.call("source", "create", "tree", str(self.origin))
        for number in range(self.rounds):
            self.command("session create", "session", "create", f"s{number}", "--source", "tree")
        session = "s0"
        for number in range(self.rounds):
            self.timed("session mount, ls", lambda: (self.call("session", "mount", session, str(self.mount)), os.listdir(self.mount)))
            self.command("unmount", "session", "unmount", session)
        self.call("session", "mount", session, str(self.mount))
        for _ in range(self.rounds):
            self.command("status, clean", "session", "status", session)
        for number in range(self.rounds):
            self.round(session, number)
        self.call("session", "unmount", session)
        for _ in range(self.rounds):
            self.command("gc, nothing to free", "store", "gc")

    def round(self, session, number):
        self.timed("write 10 files", lambda: self.write(number))
        self.command("status", "session", "status", session)
        self.command("diff", "diff", session)
        self.command("checkpoint", "checkpoint", "create", session, "--name", f"c{number}")
        self.command("fork", "session", "fork", session, f"f{number}")
        self.write(number + 1000)
        self.command("restore", "checkpoint", "restore", f"{session}@c{number}")
        kept = (self.mount / self.paths[0]).read_text()
        if kept != f"changed {number}\n":
            sys.exit(f"scale.sh: after the restore, `{self.paths[0]}` has other bytes")

    def write(self, number):
        for path in self.paths:
            (self.mount / path).write_text(f"changed {number}\n")

    def close(self):
        subprocess.run([self.aether, "session", "unmount", "--all"], env=self.env, check=False, capture_output=True)


def table(facts, results):
    """A line a command: the medians by size, what they may depend on, and the limit."""
    columns = list(results)
    lines = [", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    lines.append(f"{'milliseconds':22}" + "".join(f"{shown_size(files):>12}" for files in columns) + f"   {'grows with':16}{'limit':>6}")
    for name, why, limit in WORK:
        times = [statistics.median(results[files][name]) * 1000 for files in columns]
        line = f"{name:22}" + "".join(f"{taken:>12.1f}" for taken in times)
        lines.append(f"{line}   {why:16}{limit if limit else '':>6}")
    return "\n".join(lines)


def shown_size(files):
    for suffix, factor in reversed(SUFFIXES.items()):
        if files % factor == 0:
            return f"{files // factor}{suffix}"
    return str(files)


def main():
    args = arguments()
    aether = (args.aether or machine.built()).resolve()
    base = args.dir or Path(tempfile.mkdtemp(prefix="aether-scale.", dir="/var/tmp"))
    base.mkdir(parents=True, exist_ok=True)
    kind = machine.sh(["findmnt", "-n", "-o", "FSTYPE", "-T", str(base)]).strip()
    results = {}
    try:
        for files in args.sizes:
            machine.say(f"{files} files")
            place = base / str(files)
            bench = Bench(aether, place, files, args.rounds)
            try:
                bench.run()
            finally:
                bench.close()
            results[files] = bench.seconds
            shutil.rmtree(place, ignore_errors=True)
    finally:
        if not args.dir:
            shutil.rmtree(base, ignore_errors=True)
    facts = machine.facts(aether, kind, args)
    print(table(facts, results))
    if args.json:
        args.json.write_text(json.dumps({"machine": facts, "milliseconds": {files: {name: [t * 1000 for t in times] for name, times in own.items()} for files, own in results.items()}}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
