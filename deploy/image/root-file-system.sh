#!/bin/sh
# root-file-system.sh PROGRAM FOLDER: the root file system of an image that holds a program, the libraries it is linked with,
# those that vendors' libraries of GPUs are linked with, certificate authorities, and the names of two users.
set -eu

program=$1
folder=$2

install -D -m 0755 "$program" "$folder/usr/bin/kepler"
# `libc.so.6 => /lib/… (0x…)` and `/lib64/ld-linux-… (0x…)`; a static program has neither.
ldd "$program" 2>/dev/null | grep -o '/[^ ]*' | while read -r library; do
    install -D -m 0755 "$(readlink -f "$library")" "$folder$library"
done
# NVIDIA's runtime mounts libnvidia-ml.so.1, which is linked with these parts of glibc. Where the program is static nothing can load it.
libc=$(ldd "$program" 2>/dev/null | grep -o '/[^ ]*/libc\.so\.6' || true)
if [ -n "$libc" ]; then
    for name in libdl.so.2 libm.so.6 libpthread.so.0 librt.so.1; do
        library=${libc%/*}/$name
        [ ! -e "$library" ] || install -D -m 0755 "$(readlink -f "$library")" "$folder$library"
    done
fi
install -D -m 0644 /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/ca-certificates.crt"
mkdir -p "$folder/etc" "$folder/proc" "$folder/sys" "$folder/dev" "$folder/var/lib/kepler"
printf 'root:x:0:0:root:/:/usr/bin/kepler\nnonroot:x:65532:65532:nonroot:/:/usr/bin/kepler\n' >"$folder/etc/passwd"
printf 'root:x:0:\nnonroot:x:65532:\n' >"$folder/etc/group"
printf 'hosts: files dns\n' >"$folder/etc/nsswitch.conf"
chmod 0755 "$folder" "$folder/etc"
