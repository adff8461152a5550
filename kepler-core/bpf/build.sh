#!/usr/bin/env bash
# Builds the object that is committed here, or (--check) tells whether it is what the source becomes.
# Debian 12's clang, version 14: another one may choose other instructions for the same program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$(mktemp -d)
trap 'rm -r "$out"' EXIT
# -mcpu=v2: instructions that any kernel since 4.14 knows. Paths do not get into the debug information.
clang -target bpf -mcpu=v2 -O2 -g -Wall -Wextra -Werror -ffile-prefix-map="$PWD=." -c kepler.bpf.c -o "$out/kepler.bpf.o"
# Away with DWARF; BTF, which carries the names for CO-RE, stays.
llvm-strip -g "$out/kepler.bpf.o"
if [ "${1:-}" != --check ]; then
    cp "$out/kepler.bpf.o" kepler.bpf.o
elif ! cmp -s "$out/kepler.bpf.o" kepler.bpf.o; then
    # Names and lines may differ by compiler build; instructions, relocations and tables may not.
    parts() {
        llvm-objdump --disassemble --reloc --no-show-raw-insn "$1" | tail -n +3
        for section in .maps .rodata license; do llvm-objcopy --dump-section "$section=$out/part" "$1" "$out/copy" && sha256sum <"$out/part"; done
    }
    diff <(parts kepler.bpf.o) <(parts "$out/kepler.bpf.o") || { echo "kepler.bpf.o is not what kepler.bpf.c becomes; run kepler-core/bpf/build.sh" >&2; exit 1; }
fi
