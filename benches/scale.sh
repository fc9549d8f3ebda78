#!/usr/bin/env bash
# How the cost of commands grows with the tree: the same work on trees of 1,000, 10,000 and 100,000 small files, and more
# on request. `benches/scale.sh --help` says what can be chosen. It needs python3, and no privilege.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command -v python3 >/dev/null || { echo "scale.sh: python3 is needed" >&2; exit 2; }
exec python3 "$here/compare/scale.py" "$@"
