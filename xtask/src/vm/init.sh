#!/applets/sh
# The first program of the machine: runs the suites and turns it off. `cargo xtask` reads the lines
# that begin with "ftp-guard-vm:".
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/applets HOME=/root RUST_BACKTRACE=1

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
ip link set lo up

echo "ftp-guard-vm: kernel $(uname -r)"
while read -r module; do
    insmod "$module" || echo "ftp-guard-vm: no module $module"
done < /modules.list

cd /root || exit
. /environment
while read -r suite; do
    echo "ftp-guard-vm: begin $suite"
    # shellcheck disable=SC2046
    "/suites/$suite" $(cat /arguments) < /dev/null 2>&1
    echo "ftp-guard-vm: end $suite $?"
done < /suites.list
echo "ftp-guard-vm: done"
poweroff -f
