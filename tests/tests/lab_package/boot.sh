#!/bin/sh
# boot.sh ROOT SPACE PACKAGE...
# systemd as the first process of namespaces of its own, over a copy of ROOT that is kept in memory below
# SPACE. The packages are in its /root. Ends when systemd does.
set -e
root=$1 space=$2
shift 2

if [ -z "$INSIDE" ]; then
    mkdir "$space/groups"
    mount -t cgroup2 none "$space/groups"
    group=$space/groups/ftp-guard-lab-$$
    # Groups of a run that was killed; those of one that runs are not empty.
    clean() {
        for left in "$space"/groups/ftp-guard-lab-*; do
            [ ! -d "$left" ] || find "$left" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
    }
    clean
    mkdir "$group"
    sh -c 'echo $$ > "$0/cgroup.procs"; exec "$@"' "$group" \
        env INSIDE=1 unshare --mount --pid --fork --kill-child --uts --ipc --cgroup \
        "$0" "$root" "$space" "$@" || true
    clean
    exit 0
fi

mkdir "$space/upper" "$space/work" "$space/root"
new=$space/root
mount -t overlay overlay -o "lowerdir=$root,upperdir=$space/upper,workdir=$space/work" "$new"
mount -t proc proc "$new/proc"
mount -t sysfs sysfs "$new/sys"
mount -t cgroup2 cgroup2 "$new/sys/fs/cgroup"
mount -t bpf bpf "$new/sys/fs/bpf" -o mode=0700
mount -t tmpfs tmpfs "$new/run" -o mode=0755
mount -t tmpfs tmpfs "$new/tmp"
mount -t tmpfs tmpfs "$new/dev" -o mode=0755
for device in null zero full random urandom tty; do
    touch "$new/dev/$device"
    mount --bind "/dev/$device" "$new/dev/$device"
done
mkdir "$new/dev/pts" "$new/dev/shm" "$new/dev/mqueue"
mount -t devpts devpts "$new/dev/pts" -o newinstance
mount -t tmpfs tmpfs "$new/dev/shm"
mount -t mqueue mqueue "$new/dev/mqueue"
ln -s pts/ptmx "$new/dev/ptmx"
ln -s /proc/self/fd "$new/dev/fd"
touch "$new/dev/console"
# What would change the machine, not the namespace.
for unit in systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service \
    dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    sys-fs-fuse-connections.mount console-getty.service; do
    ln -s /dev/null "$new/etc/systemd/system/$unit"
done
cp "$@" "$new/root/"
cd "$new"
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$new" \
    /lib/systemd/systemd --log-target=console --show-status=false
