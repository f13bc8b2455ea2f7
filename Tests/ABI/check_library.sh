#!/bin/sh
# What the shared library is, seen from outside.  check_library.sh ASPECT LIBRARY DIRECTORY RUNTIME
#   symbols   exports exactly the names of symbols-0.16.txt and symbols-extensions.txt but those of symbols-tls.txt (all of them once TLS is there)
#   soname    is librabbitmq.so.4
#   needed    needs no Swift library; the Embedded build nothing but libc and libevent_core (and TLS, once it is there)
#   size      is at most 400 KB when stripped (Embedded)
#   versions  every undefined symbol of the C library is one that Debian 12's has (no later version node)
set -eu
aspect=$1 library=$2 directory=$3 runtime=$4
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export LC_ALL=C

case $aspect in
symbols)
  nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $3); print $3 }' | grep -v '^$' | sort >"$scratch/exported"
  if grep -qx amqp_ssl_socket_new "$scratch/exported"; then
    sort "$directory/symbols-0.16.txt" "$directory/symbols-extensions.txt" >"$scratch/expected"
  else
    sort "$directory/symbols-0.16.txt" "$directory/symbols-extensions.txt" | comm -23 - "$directory/symbols-tls.txt" >"$scratch/expected"
  fi
  comm -23 "$scratch/expected" "$scratch/exported" | sed 's/^/missing: /' >"$scratch/report"
  comm -13 "$scratch/expected" "$scratch/exported" | sed 's/^/exported but not of the API: /' >>"$scratch/report"
  cat "$scratch/report"
  echo "$(wc -l <"$scratch/exported") symbols"
  test ! -s "$scratch/report"
  ;;
soname)
  soname=$(readelf -d "$library" | sed -n 's/.*Library soname: \[\(.*\)\].*/\1/p')
  echo "$soname"
  test "$soname" = librabbitmq.so.4
  ;;
needed)
  readelf -d "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p' >"$scratch/needed"
  cat "$scratch/needed"
  if grep -i swift "$scratch/needed"; then exit 1; fi
  allowed='libc\.so\.6|libevent_core-2\.1\.so\.[0-9]+|libevent_pthreads-2\.1\.so\.[0-9]+|ld-linux.*'
  if nm -D --defined-only "$library" | grep -q ' amqp_ssl_socket_new$'; then allowed="$allowed|libssl\.so\.3|libcrypto\.so\.3"; fi
  if [ "$runtime" != Embedded ]; then allowed="$allowed|libm\.so\.6|libstdc\+\+\.so\.6|libgcc_s\.so\.1"; fi
  if grep -Evx "$allowed" "$scratch/needed"; then exit 1; fi
  ;;
size)
  strip -o "$scratch/stripped" "$library"
  size=$(wc -c <"$scratch/stripped")
  echo "$size bytes stripped"
  if [ "$runtime" = Embedded ]; then test "$size" -le 400000; else test "$size" -le $((16 * 1024 * 1024)); fi
  ;;
versions)
  newest=$(nm -D --undefined-only "$library" | sed -n 's/.*@GLIBC_\(2\.[0-9]*\).*/\1/p' | sort -t. -k2 -n | tail -1)
  echo "needs glibc $newest"
  test "${newest#2.}" -le 36
  ;;
*)
  echo "no such aspect: $aspect"
  exit 2
  ;;
esac
