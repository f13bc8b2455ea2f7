#!/bin/sh
# Runs a program on two libraries and compares what it prints.  compare.sh PROGRAM REFERENCE_LIBRARY LIBRARY [LINES]
# LINES: it prints more than so many, 200 if not given.
# 77 (skipped): the reference is not installed.
set -eu
program=$1 reference=$2 library=$3 lines=${4:-200}
if [ ! -e "$reference" ]; then
  echo "skipped: the reference library is not installed"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

run() {
  LD_LIBRARY_PATH=$(dirname "$1") PULSE_LIBRARY=$1 "$program" >"$2" || { tail -5 "$2"; echo "the program failed on $1"; exit 1; }
}

run "$reference" "$scratch/reference"
run "$library" "$scratch/library"
echo "$(wc -l <"$scratch/reference") lines"
test "$(wc -l <"$scratch/reference")" -gt "$lines"
diff -u "$scratch/reference" "$scratch/library"
