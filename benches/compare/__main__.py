"""Runs every workload on every side in turn, checks that the results are the same, and reports."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import machine
import report
import sides
import trees
import workloads


def arguments():
    parser = argparse.ArgumentParser(
        prog="benches/compare.sh",
        description="Compare a mounted session with the plain directory and other overlays.",
        epilog="example: benches/compare.sh --rounds 5 --only find,tar,create-20k --json result.json --svg result.svg",
    )
    parser.add_argument("--aether", type=Path, help="the program to measure (default: target/release/aether, built if missing)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds to take medians of (default: 5)")
    parser.add_argument("--only", type=names, help="workloads, separated by commas")
    parser.add_argument("--sides", type=names, default=list(sides.ALL), help=f"any of {','.join(sides.ALL)}")
    parser.add_argument("--dir", type=Path, help="where to work (default: a directory below /var/tmp, removed at the end)")
    parser.add_argument("--linux", type=Path, help="a kernel source tree (default: Debian's linux-source)")
    parser.add_argument("--rust", type=Path, help="a cargo project whose dependencies are downloaded (default: one is made)")
    parser.add_argument("--npm", type=Path, help="a directory with package.json and package-lock.json (default: one is made)")
    parser.add_argument("--one-cpu", action="store_true", help="run the work and what serves it on one processor")
    parser.add_argument("--json", type=Path, help="write every time that was taken")
    parser.add_argument("--svg", type=Path, help="draw the ratios")
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    return parser.parse_args()


def names(text):
    return [name for name in text.split(",") if name]


def main():
    args = arguments()
    # Ended from outside, it clears up as well.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    if args.list:
        for work in workloads.ALL:
            print(f"{work.name:16} {work.tree:6} {work.what}")
        return 0
    chosen = [work for work in workloads.ALL if not args.only or work.name in args.only]
    if unknown := set(args.only or []) - {work.name for work in workloads.ALL}:
        sys.exit(f"compare.sh: no such workload: {', '.join(sorted(unknown))} (see --list)")
    if args.one_cpu:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    aether = (args.aether or machine.built()).resolve()

    base = args.dir or Path(tempfile.mkdtemp(prefix="aether-compare.", dir="/var/tmp"))
    base.mkdir(parents=True, exist_ok=True)
    disk = machine.Disk(base)
    made = []
    try:
        wanted = dict.fromkeys(work.tree for work in chosen)
        origins = trees.prepare(wanted, {"linux": args.linux, "rust": args.rust, "npm": args.npm}, disk.path, base)
        chosen = [work for work in chosen if work.tree in origins and work.can_run()]
        for name in args.sides:
            if reason := sides.ALL[name].missing():
                machine.say(f"{name}: left out, {reason}")
            else:
                made.append(sides.ALL[name](disk.path, aether))
        for side in made:
            for tree, origin in origins.items():
                machine.say(f"{side.name}: {tree}")
                side.add(tree, origin)
        results, whole = run(chosen, made, args.rounds, disk.path)
    finally:
        for side in reversed(made):
            side.close()
        disk.close()
        if not args.dir:
            shutil.rmtree(base, ignore_errors=True)

    facts = machine.facts(aether, disk.kind, args)
    print(report.table(facts, results))
    if args.json:
        args.json.write_text(json.dumps({"machine": facts, "results": results}, indent=1) + "\n")
    if args.svg:
        args.svg.write_text(report.svg(facts, results))
    if not whole:
        return 128 + signal.SIGINT
    return 1 if any(result["differs"] for result in results) else 0


def run(chosen, made, rounds, scratch):
    """Times by workload and side, and whether all rounds were run: an interrupt ends them, and keeps what was measured."""
    results = {}
    try:
        measure(chosen, made, rounds, scratch, results)
        whole = True
    except KeyboardInterrupt:
        machine.say("interrupted: these are the times so far")
        whole = False
    sides_made = {side.name for side in made}
    return [result for result in results.values() if sides_made == set(result["seconds"])], whole


def measure(chosen, made, rounds, scratch, results):
    """One round of all workloads after the other, and in each the sides in turn."""
    for work in chosen:
        results[work.name] = {"name": work.name, "what": work.what, "seconds": {}, "differs": []}
    for number in range(-1, rounds):
        for work in chosen:
            if number < 0 and not work.warms_up:
                continue
            told = {}
            # The order turns, so that no side always comes after the same other one.
            turn = number % len(made)
            for side in made[turn:] + made[:turn]:
                outcome = work.run(side, scratch)
                told[side.name] = outcome.digest
                if number >= 0:
                    results[work.name]["seconds"].setdefault(side.name, []).append(outcome.seconds)
            first = told[made[0].name]
            results[work.name]["differs"] += [name for name, digest in told.items() if digest != first]
            machine.say(f"round {number + 1} of {rounds}: {work.name}" if number >= 0 else f"warming up: {work.name}")


if __name__ == "__main__":
    sys.exit(main())
