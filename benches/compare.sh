#!/usr/bin/env bash
# Compares a mounted session with the plain directory, kernel overlayfs and fuse-overlayfs: the same work on the same
# trees, in turn. `benches/compare.sh --help` says what can be chosen. It needs python3; as root it works on an ext4
# image with a journal, so that figures of different machines can be set side by side.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo "compare.sh: python3 is needed" >&2; exit 2; }
exec python3 "$here/compare" "$@"
