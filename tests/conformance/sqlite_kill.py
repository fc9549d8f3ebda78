"""sqlite_kill.py DATABASE JOURNAL_MODE ROUNDS: an SQLite workload whose writer is killed.

In each round a writer commits transactions and says so, two readers check that they only ever see whole ones, and all
three are killed with SIGKILL after a moment. Then every transaction that was said to be committed must be there, at most
one more, and the database must be sound. A database that is there already is gone on with; ROUNDS 0 only makes one.
Exits 1 with one line for each fault.
"""

import hashlib
import os
import random
import signal
import sqlite3
import sys
import time

PATH, MODE, ROUNDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
ROWS_A_TRANSACTION = 12


def connect():
    base = sqlite3.connect(PATH, timeout=30, isolation_level=None)
    base.execute(f"pragma journal_mode = {MODE}")
    base.execute("pragma synchronous = full")
    return base


def row(number):
    value = random.Random(number).randbytes(1 + number * 37 % 6000)
    return number, value, hashlib.sha1(value).hexdigest()


def write(pipe):
    base = connect()
    last = base.execute("select coalesce(max(id), 0) from entry").fetchone()[0]
    while True:
        base.execute("begin immediate")
        for _ in range(ROWS_A_TRANSACTION):
            last += 1
            base.execute("insert into entry values (?, ?, ?)", row(last))
        base.execute("update total set rows = ?", (last,))
        base.execute("commit")
        os.write(pipe, b"%d\n" % last)


def read(_pipe):
    base = connect()
    seen = 0
    while True:
        base.execute("begin")
        rows, last = base.execute("select count(*), coalesce(max(id), 0) from entry").fetchone()
        total = base.execute("select rows from total").fetchone()[0]
        base.execute("commit")
        if not rows == last == total or last < seen or last % ROWS_A_TRANSACTION:
            print(f"a reader saw {rows} rows, last {last}, total {total} after {seen}", flush=True)
            os._exit(3)
        seen = last


def start(work, pipe):
    child = os.fork()
    if child == 0:
        try:
            work(pipe)
        except BaseException as error:  # noqa: BLE001: a child must not run on in the parent's code
            print(f"{work.__name__}: {error!r}", flush=True)
        os._exit(4)
    return child


def check(acknowledged):
    base = connect()
    rows, last = base.execute("select count(*), coalesce(max(id), 0) from entry").fetchone()
    faults = []
    if last < acknowledged:
        faults.append(f"row {acknowledged} was committed, but the last one is {last}")
    if last > acknowledged + ROWS_A_TRANSACTION or last % ROWS_A_TRANSACTION or rows != last:
        faults.append(f"{rows} rows, last {last}, after {acknowledged} were committed")
    for number, value, digest in base.execute("select * from entry where id > ?", (last - 500,)):
        if (number, value, digest) != row(number):
            faults.append(f"row {number} is not what was written")
    sound = base.execute("pragma integrity_check").fetchone()[0]
    if sound != "ok":
        faults.append(f"integrity: {sound[:100]}")
    base.close()
    return faults


def main():
    if not os.path.exists(PATH):
        base = connect()
        base.execute("create table entry (id integer primary key, value blob, digest text)")
        base.execute("create table total (rows integer)")
        base.execute("insert into total values (0)")
        base.close()
    base = connect()
    committed = base.execute("select coalesce(max(id), 0) from entry").fetchone()[0]
    base.close()
    if ROUNDS == 0:
        base = connect()
        base.executemany("insert into entry values (?, ?, ?)", map(row, range(1, 1 + 40 * ROWS_A_TRANSACTION)))
        base.execute("update total set rows = ?", (40 * ROWS_A_TRANSACTION,))
        base.close()
        return 0
    faults, moments = [], random.Random(MODE)
    for number in range(ROUNDS):
        ours, theirs = os.pipe()
        children = [start(work, theirs) for work in (write, read, read)]
        os.close(theirs)
        time.sleep(moments.uniform(0.15, 0.6))
        statuses = []
        for child in children:
            os.kill(child, signal.SIGKILL)
            statuses.append(os.waitpid(child, 0)[1])
        said = b""
        while part := os.read(ours, 65536):
            said += part
        os.close(ours)
        committed = int(said.split()[-1]) if said.split() else committed
        faults += [f"round {number}: a child ended with {status}" for status in statuses if not os.WIFSIGNALED(status)]
        faults += [f"round {number}: {fault}" for fault in check(committed)]
    for fault in faults:
        print(fault)
    print(f"{committed} rows")
    return 1 if faults else 0


sys.exit(main())
