#!/usr/bin/env bash
# File-system conformance of a mount, by suites that were written elsewhere.
#
#   tests/conformance.sh [OPTIONS] MOUNTPOINT
#   tests/conformance.sh --prepare DIR      fills DIR with files for a source, so that suites can also run on base files
#   tests/conformance.sh --install          only gets the tools
#
#   --suites "NAME…"   of: pjdfstest fsx fio sqlite stress-ng cpython (default: all; cpython only with --long)
#   --short            for CI: fewer seeds, sizes and seconds (default)
#   --long             for a long run by hand
#   --plain DIR        a directory on the plain disk to compare with (default: a new one in the cache directory)
#
# Every suite runs in a new directory of the mount and, where MOUNTPOINT/conformance-base is there (made by --prepare and
# imported as a source), in that too. A case that fails is then run on the plain disk: where it fails there as well, it
# counts as expected, otherwise as failed. CPython's own tests are run on both, and may take twice the time of the plain
# disk together. Tools come from crates.io and apt only, and are kept in $AETHER_SUITES
# (default ${XDG_CACHE_HOME:-~/.cache}/aether-suites). pjdfstest needs root and is left out, with a word, without it.
#
# What is left out on purpose is in the list `left_out` below, each with its reason, and in aether-semantics(7).
#
# The last line is `N passed, N failed`; the exit code is 1 when anything failed, 2 when the suites could not run.
set -uo pipefail
export LC_ALL=C

suites_home=${AETHER_SUITES:-${XDG_CACHE_HOME:-$HOME/.cache}/aether-suites}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
all_suites="pjdfstest fsx fio sqlite stress-ng cpython"
suites="" form=short plain="" mount="" mode=run

usage() { sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }
die() { echo "conformance: $*" >&2; echo "0 passed, 1 failed"; exit 2; }

while [ $# -gt 0 ]; do
  case $1 in
    --suites) suites=${2:?}; shift 2 ;;
    --short) form=short; shift ;;
    --long) form=long; shift ;;
    --plain) plain=${2:?}; shift 2 ;;
    --prepare) mode=prepare mount=${2:?}; shift 2 ;;
    --install) mode=install; shift ;;
    -h | --help) usage; exit 0 ;;
    -*) die "unknown option $1" ;;
    *) mount=$1; shift ;;
  esac
done
[ -n "$suites" ] || case $form in long) suites=$all_suites ;; *) suites=${all_suites% cpython} ;; esac
for suite in $suites; do [[ " $all_suites " == *" $suite "* ]] || die "unknown suite $suite"; done

if [ $form = short ]; then
  fsx_ops=1500 fsx_seeds="1 2" fio_size=4m sqlite_rounds=3 stress_seconds=1
else
  fsx_ops=100000 fsx_seeds="1 2 3 4 5" fio_size=256m sqlite_rounds=25 stress_seconds=10
fi
fsx_configs="basic nommap big copy falloc block"
fio_jobs="seq-psync rand-psync odd-sizes mmap direct libaio append many-files four-writers overwrite"
sqlite_modes="delete truncate persist wal"
python_modules="test_os test_posix test_mmap test_shutil test_tempfile test_tarfile test_mailbox test_sqlite3 test_subprocess"
# All stressors of the class `filesystem` but those in `left_out`, and of other classes those that work on files.
stressors="access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify dup fallocate fanotify fcntl
  file-ioctl filename flock fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix lease link locka lockf
  lockofd mknod open rename symlink sync-file touch utime verity xattr
  aio aiol mmap msync readahead revio seek sendfile splice unlink metamix"

# SUITE NAME…: reason
left_out="
pjdfstest erofs: they remount the file system under test with mount(8); a session has its own way to be read-only
pjdfstest link_count_max: it asks pathconf(3), which knows the answer for some file systems only
stress-ng fiemap: the kernel has no FIEMAP for FUSE
sqlite memory off: SQLite promises nothing in these journal modes to a program that dies in a transaction
stress-ng bind-mount binderfs eventfd ioprio procfs: they do not work in the directory that they are given
"

# Stressors make files of their own, so the short form runs on base files only what also touches the directory's names.
stressors_base=$stressors
[ $form = long ] || stressors_base="chmod dir link mknod rename symlink unlink xattr"

log=$suites_home/log
mkdir -p "$suites_home" "$log" || die "cannot write to $suites_home"

# --- tools -------------------------------------------------------------------------------------------------------

apt_get() { # PROGRAM PACKAGE: installs the package when the program is missing
  command -v "$1" >/dev/null && return 0
  [ "$(id -u)" = 0 ] || { echo "conformance: $1 is missing; as root: apt-get install $2" >&2; return 1; }
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends "$2" >>"$log/apt.txt" 2>&1 ||
    { apt-get update && apt-get install -y --no-install-recommends "$2"; } >>"$log/apt.txt" 2>&1
}
cargo_get() { # PROGRAM VERSION
  [ -x "$suites_home/bin/$1" ] && return 0
  echo "building $1 $2"
  nice cargo install --locked --root "$suites_home" "$1@$2" >>"$log/cargo.txt" 2>&1
}
get_tools() {
  for suite in $suites; do
    case $suite in
      pjdfstest) cargo_get pjdfstest 0.2.2 ;;
      fsx) cargo_get fsx 0.3.2 ;;
      fio) apt_get fio fio ;;
      sqlite) apt_get python3 python3 ;;
      stress-ng) apt_get stress-ng stress-ng ;;
      cpython) python3 -c 'import test.test_os' 2>/dev/null || apt_get no-such-program libpython3-testsuite ;;
    esac || die "cannot get $suite; see $log"
  done
}

# --- suites: each has a list of cases, and runs the ones it is given in a directory, one line a case: ------------------
#     `ok NAME`, `fail NAME: why` or `skip NAME: why`

verdict() { # NAME LOGFILE EXITCODE PATTERN: says how a case ended, and why, from its log
  if [ "$3" = 0 ]; then echo "ok $1"; else
    echo "fail $1: exit $3; $(grep -m1 -iE "$4" "$2" | tr -d '\r' | cut -c1-150)"
  fi
}

cases_pjdfstest() { echo all; }
run_pjdfstest() { # DIR
  local config=$suites_home/pjdfstest.toml out rc
  out=$(mktemp "$log/pjdfstest.XXXX.txt") # of each run: on the plain disk it runs while another one's is being read
  if [ "$(id -u)" != 0 ]; then echo "skip all: needs root"; return; fi
  for user in aether-test-a aether-test-b; do
    getent passwd $user >/dev/null || useradd -r -U -M -d /nonexistent -s /usr/sbin/nologin $user
  done
  cat >"$config" <<TOML
[features]
posix_fallocate = {}
rename_ctime = {}
stat_st_birthtime = {}
utime_now = {}
utimensat = {}
[settings]
naptime = 0.02
allow_remount = false
[dummy_auth]
entries = [
  ["nobody", "$(id -gn nobody)"],
  ["aether-test-a", "aether-test-a"],
  ["aether-test-b", "aether-test-b"],
]
TOML
  chmod 777 "$1"
  (umask 022; timeout -k 5 600 "$suites_home/bin/pjdfstest" -c "$config" -s /dev/shm -p "$1") >"$out" 2>&1
  rc=$?
  sed -nE 's/^([^ ]+).* ok$/ok \1/p; s/^([^ ]+).* FAILED$/fail \1: see the log/p; s/^([^ ]+).* skipped$/skip \1: not asked for/p' "$out"
  grep -q '^Summary:' "$out" || echo "fail run: exit $rc without a summary, see $out"
}

cases_fsx() { local c s; for c in $fsx_configs; do for s in $fsx_seeds; do echo "$c-$s"; done; done; }
fsx_config() { # CONFIG FILE
  local len=262144 op=65536 more="" common=$'read = 10\nwrite = 10\nfsync = 1'
  local maps=$'mapread = 10\nmapwrite = 10' open=$'close_open = 1\ntruncate = 5'
  case $1 in
    basic) more=$'invalidate = 1\nfdatasync = 1' ;;
    nommap) maps=$'mapread = 0\nmapwrite = 0' more=$'fdatasync = 1\nsendfile = 3' ;;
    big) len=33554432 op=1048576 ;;
    copy) len=1048576 op=131072 more=$'invalidate = 1\nsendfile = 5\nposix_fadvise = 2\ncopy_file_range = 5' ;;
    falloc) len=1048576 op=131072 more=$'posix_fallocate = 4\npunch_hole = 4' ;;
    # A file that is there keeps its size: all of it is changed in place.
    block) open=$'close_open = 0\ntruncate = 0' more=$'punch_hole = 2\ncopy_file_range = 2' ;;
  esac
  { echo "flen = $len"; [ "$1" != block ] || echo "blockmode = true"
    printf '[opsize]\nmax = %s\n[weights]\n%s\n' "$op" "$common"$'\n'"$maps"$'\n'"$open"$'\n'"$more"; } >"$2"
}
run_fsx() { # DIR CASE…
  local dir=$1 name config ops out; shift
  for name; do
    config=${name%-*} ops=$fsx_ops out=$log/fsx.$name.txt
    [ "$config" != big ] || ops=$((fsx_ops / 10))
    fsx_config "$config" "$suites_home/fsx-$config.toml"
    if [ "$config" = block ] && [ ! -e "$dir/fsx-$name" ]; then head -c 262144 /dev/urandom >"$dir/fsx-$name"; fi
    timeout -k 5 900 "$suites_home/bin/fsx" -q -f "$suites_home/fsx-$config.toml" -N "$ops" -S "${name#*-}" -P "$log" \
      "$dir/fsx-$name" >"$out" 2>&1
    verdict "$name" "$out" $? 'error|mismatch|fail|panick|support'
  done
}

cases_fio() { printf '%s\n' $fio_jobs; }
run_fio() { # DIR CASE…
  local dir=$1 name out opts; shift
  for name; do
    out=$log/fio.$name.txt
    case $name in
      seq-psync) opts="--rw=write --bs=128k --ioengine=psync --verify=crc32c" ;;
      rand-psync) opts="--rw=randwrite --bs=4k --ioengine=psync --verify=crc32c --fsync=256" ;;
      odd-sizes) opts="--rw=randwrite --bsrange=512-70000 --bs_unaligned=1 --ioengine=psync --verify=md5" ;;
      mmap) opts="--rw=randwrite --bs=4k --ioengine=mmap --verify=crc32c" ;;
      direct) opts="--rw=randwrite --bs=4k --ioengine=psync --direct=1 --verify=crc32c" ;;
      libaio) opts="--rw=randwrite --bs=16k --ioengine=libaio --iodepth=16 --verify=sha1" ;;
      append) opts="--rw=write --bs=64k --ioengine=psync --file_append=1 --verify=crc32c" ;;
      many-files) opts="--rw=write --bs=4k --nrfiles=256 --filesize=8k-64k --ioengine=psync --verify=crc32c" ;;
      four-writers) opts="--rw=randwrite --bs=8k --numjobs=4 --ioengine=psync --verify=xxhash" ;;
      overwrite) opts="--rw=randrw --bs=4k --overwrite=1 --ioengine=psync --verify=crc32c" ;;
    esac
    # shellcheck disable=SC2086
    timeout -k 5 900 fio --name="$name" --directory="$dir" --size=$fio_size --do_verify=1 --verify_fatal=1 --verify_dump=0 \
      --verify_state_save=0 --minimal $opts >"$out" 2>&1
    verdict "$name" "$out" $? 'verify|error|err='
    rm -f "$dir/$name".*
  done
}

cases_sqlite() { printf '%s\n' $sqlite_modes; }
run_sqlite() { # DIR CASE…
  local dir=$1 name out; shift
  for name; do
    out=$log/sqlite.$name.txt
    timeout -k 5 900 python3 "$here/conformance/sqlite_kill.py" "$dir/$name.db" "$name" "$sqlite_rounds" >"$out" 2>&1
    verdict "$name" "$out" $? '.'
  done
}

cases_stress-ng() { if [ "${1:-}" = "base files" ]; then printf '%s\n' $stressors_base; else printf '%s\n' $stressors; fi; }
run_stress-ng() { # DIR CASE…
  local dir=$1 name out opts rc; shift
  for name; do
    out=$log/stress-ng.$name.txt opts=""
    case $name in
      mmap) opts="--mmap-file --mmap-bytes 16m" ;; hdd) opts="--hdd-bytes 32m --hdd-opts iovec" ;;
      dirdeep) opts="--dirdeep-inodes 1000" ;; dirmany) opts="--dirmany-ops 5000" ;; seek) opts="--seek-size 16m" ;;
      fallocate | iomix | msync | readahead | revio | sync-file) opts="--$name-bytes 16m" ;;
      sendfile) opts="--sendfile-size 4m" ;; copy-file) opts="--copy-file-bytes 128m" ;;
    esac
    mkdir -p "$dir/work" && chmod 777 "$dir/work"
    # shellcheck disable=SC2086
    (cd "$dir/work" && timeout -k 5 $((stress_seconds + 60)) stress-ng --"$name" 1 $opts --timeout "$stress_seconds"s \
      --temp-path "$dir/work" --verify --oomable) >"$out" 2>&1
    rc=$?
    if grep -q 'unrecognized option' "$out" || [ $rc = 3 ] || [ $rc = 4 ] || { grep -qE 'skipp(ed: 1|ing)' "$out" && ! grep -q 'passed: 1' "$out"; }; then
      echo "skip $name: this stress-ng or kernel cannot"
    else
      if grep -qE ' fail: | FAIL' "$out" && [ $rc = 0 ]; then rc=1; fi
      verdict "$name" "$out" $rc 'fail'
    fi
    rm -rf "$dir/work"
  done
}

# CPython's tests that use files, in a directory of the mount and beside it in one of the plain disk. What fails, or is
# skipped, must do so on both; the last case is the time that all took.
cases_cpython() { printf '%s\n' $python_modules time; }
run_cpython() { # DIR CASE…
  local dir=$1 name place at started rc spent_mount=0 spent_plain=0 ran=0; shift
  for name; do
    if [ "$name" = time ]; then
      [ $ran -gt 1 ] || continue # a case of its own asks for no time
      if [ $spent_mount -lt $((2 * spent_plain)) ]; then echo "ok time"; else echo "fail time: $spent_mount ms, on the plain disk $spent_plain ms"; fi
      continue
    fi
    ran=$((ran + 1))
    for place in plain mount; do
      at=$dir; [ $place = mount ] || at=$(mktemp -d "$plain/cpython.XXXX")
      mkdir -p "$at/tmp" "$at/work"
      started=$(date +%s%3N)
      (cd "$at/work" && TMPDIR=$at/tmp HOME=$at timeout -k 5 900 python3 -m test -v --tempdir "$at/work" "$name") >"$log/cpython.$name.$place.txt" 2>&1 </dev/null
      rc=$?
      eval "spent_$place=\$((spent_$place + $(date +%s%3N) - started))"
      # What did not pass, how many ran, and how the module ended. Words of the tests themselves stand between.
      { grep -E '^(FAIL|ERROR): |\.\.\. skipped ' "$log/cpython.$name.$place.txt" | sort
        grep -oE '^Ran [0-9]+ tests' "$log/cpython.$name.$place.txt"; echo "ended with $rc"; } >"$log/cpython.$name.$place.list"
      rm -rf "$at/tmp" "$at/work"
    done
    if cmp -s "$log/cpython.$name".{plain,mount}.list; then echo "ok $name"; else
      echo "fail $name: $(diff "$log/cpython.$name".{plain,mount}.list | grep -m1 '^[<>]')"
    fi
  done
}

# --- what a source is to hold ------------------------------------------------------------------------------------------

prepare() { # DIR
  local base=$1/conformance-base name
  mkdir -p "$base"/{pjdfstest,fsx,fio,sqlite,stress-ng,cpython}
  for name in $(cases_fsx); do head -c 262144 /dev/urandom >"$base/fsx/fsx-$name"; done
  for name in $fio_jobs; do head -c "$(numfmt --from=iec "${fio_size^^}")" /dev/urandom >"$base/fio/$name.0.0"; done
  for name in $sqlite_modes; do
    python3 "$here/conformance/sqlite_kill.py" "$base/sqlite/$name.db" "$name" 0 >/dev/null || die "cannot make $name.db"
  done
  for suite in pjdfstest stress-ng cpython; do
    for name in 1 2 3; do echo "$name" >"$base/$suite/file-$name"; mkdir "$base/$suite/dir-$name"; done
  done
}

# --- the run -----------------------------------------------------------------------------------------------------------

passed=0 failed=0 expected=0 skipped=0

on_plain() { # SUITE CASE: runs the case on the plain disk, once, and says how it ended: ok, fail or skip
  local suite=$1 name=$2 dir line
  if [ "$suite" = pjdfstest ]; then
    if [ ! -e "$plain/pjdfstest.out" ]; then
      mkdir -p "$plain/pjdfstest"; run_pjdfstest "$plain/pjdfstest" >"$plain/pjdfstest.out"
    fi
    line=$(grep -E "^[a-z]+ $name(:|\$)" "$plain/pjdfstest.out")
  elif [ "$suite" = cpython ]; then
    line=ok # it is a comparison already
  else
    [ -e "$plain/$suite.$name.out" ] || {
      dir=$(mktemp -d "$plain/$suite.XXXX") && "run_$suite" "$dir" "$name" >"$plain/$suite.$name.out"
    }
    line=$(<"$plain/$suite.$name.out")
  fi
  echo "${line%% *}"
}

is_left_out() { # SUITE CASE: whether the case is in the list above
  local suite=$1 name=$2 line words word
  while IFS= read -r line; do
    [ "${line%% *}" = "$suite" ] || continue
    words=${line#* }
    for word in ${words%%:*}; do
      case $name in *"$word"*) return 0 ;; esac
    done
  done <<<"$left_out"
  return 1
}

run_place() { # SUITE DIR LABEL
  local suite=$1 dir=$2 label=$3 started=$SECONDS line rest p=0 f=0 e=0 s=0
  local cases; mapfile -t cases < <("cases_$suite" "$label")
  while IFS= read -r line; do
    rest=${line#* }
    case $line in
      ok\ *) p=$((p + 1)) ;;
      skip\ *) if is_left_out "$suite" "$rest" || [ "$(on_plain "$suite" "${rest%%: *}")" = skip ]; then
           s=$((s + 1))
         else
           f=$((f + 1)); echo "  FAILED $suite on $label, skipped and not so on the plain disk: $rest"
         fi ;;
      *) if [ "$(on_plain "$suite" "${rest%%: *}")" = fail ]; then
           e=$((e + 1)); echo "  expected (the plain disk has it too): $suite $rest"
         else
           f=$((f + 1)); echo "  FAILED $suite on $label: $rest"
         fi ;;
    esac
  done < <("run_$suite" "$dir" "${cases[@]}")
  [ $((p + f + e + s)) -gt 0 ] || { f=1; echo "  FAILED $suite on $label: no case ran"; }
  printf '%-10s %-10s %4d passed %4d failed %4d expected %4d skipped  %4d s\n' \
    "$suite" "$label" $p $f $e $s $((SECONDS - started))
  passed=$((passed + p)) failed=$((failed + f)) expected=$((expected + e)) skipped=$((skipped + s))
}

case $mode in
  install) get_tools; exit 0 ;;
  prepare) prepare "$mount"; exit 0 ;;
esac
[ -n "$mount" ] || { usage >&2; exit 2; }
mount=$(cd "$mount" && pwd) || die "no such directory"
[ -w "$mount" ] || die "$mount cannot be written"
get_tools
plain_is_ours=""
[ -n "$plain" ] || { plain=$(mktemp -d "$suites_home/plain.XXXX") && plain_is_ours=1; }
work=$(mktemp -d "$mount/conformance.XXXX") || die "cannot make a directory in $mount"
chmod 755 "$work" "$plain"
cleanup() { rm -rf "$work"; [ -z "$plain_is_ours" ] || rm -rf "$plain"; }
trap cleanup EXIT
trap 'exit 130' INT TERM

for suite in $suites; do
  mkdir "$work/$suite"
  run_place "$suite" "$work/$suite" "new files"
  [ ! -d "$mount/conformance-base/$suite" ] || run_place "$suite" "$mount/conformance-base/$suite" "base files"
done
echo "expected $expected, skipped $skipped, $SECONDS s"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
