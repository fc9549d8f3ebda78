"""The machine, the disk that is worked on, and what is said while working."""

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

IMAGE_GIB = 24


def say(text):
    print(text, file=sys.stderr, flush=True)


def sh(command, **options):
    """Runs a command of the preparation; what it printed is shown if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **options)
    if done.returncode != 0:
        sys.exit(f"compare.sh: `{' '.join(map(str, command))}` failed:\n{done.stdout[-2000:]}")
    return done.stdout


def built():
    """The release build of the project this script belongs to."""
    root = Path(__file__).resolve().parents[2]
    program = root / "target/release/aether"
    if not program.exists():
        say("building aether")
        sh(["cargo", "build", "--release", "--locked", "--quiet"], cwd=root)
    return program


class Disk:
    """A directory to work in: as root one on an ext4 image of its own with a journal, else the base itself."""

    def __init__(self, base):
        self.image = None
        self.path = base / "disk"
        self.path.mkdir(exist_ok=True)
        if os.geteuid() == 0 and not os.path.ismount(self.path):
            self.image = base / "disk.img"
            with open(self.image, "wb") as image:
                image.truncate(IMAGE_GIB << 30)
            sh(["mkfs.ext4", "-q", "-F", str(self.image)])
            sh(["mount", "-o", "loop", str(self.image), str(self.path)])
        kind = sh(["findmnt", "-n", "-o", "FSTYPE", "-T", str(self.path)]).strip()
        self.kind = f"{kind} on an image with a journal" if self.image else kind

    def close(self):
        if self.image:
            # Who served a mount on it ends a moment after its unmount.
            for _ in range(100):
                if subprocess.run(["umount", str(self.path)], check=False, capture_output=True).returncode == 0:
                    break
                time.sleep(0.1)
            else:
                subprocess.run(["umount", "-l", str(self.path)], check=False)
            self.image.unlink()


def drop_caches():
    """Root only: what the kernel has read is forgotten."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


def facts(aether, disk, args):
    return {
        "aether": sh([str(aether), "--version"]).strip(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processors": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "file_system": disk,
        "user": "root" if os.geteuid() == 0 else "ordinary user",
        "rounds": args.rounds,
    }
