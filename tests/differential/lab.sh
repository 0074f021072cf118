#!/bin/sh
# Runs a command in a separate network: documentation addresses on the loopback device, one resolver, no other
# source of names, the users that mail servers need, and empty directories where they write. Must be started in new network, mount and PID namespaces:
#
#     unshare --net --mount --pid --fork --kill-child --mount-proc tests/differential/lab.sh COMMAND…
#
# Mounts and addresses end with the namespaces. $LAB is a directory for the command's files.
set -e

ip link set lo up
for host in 53 25; do
    ip addr add 198.51.100.$host/32 dev lo
    ip -6 addr add 2001:db8::$host/128 dev lo nodad
done
ip route add local 203.0.113.0/24 dev lo
ip route add local 192.0.2.0/24 dev lo
ip -6 route add local 2001:db8:1::/48 dev lo
echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind

LAB=$(mktemp -d -t martinet-lab.XXXXXX)
export LAB
mount -t tmpfs -o mode=755 none "$LAB"
printf 'nameserver 198.51.100.53\nsearch .\noptions timeout:1 attempts:1\n' >"$LAB/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost\n' >"$LAB/hosts"
printf 'passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n' >"$LAB/nsswitch.conf"
cp /etc/passwd /etc/group "$LAB/"
number=64100
for user in postfix postdrop Debian-exim opensmtpd opensmtpq; do
    grep -q "^$user:" "$LAB/passwd" || echo "$user:x:$number:$number::/nonexistent:/usr/sbin/nologin" >>"$LAB/passwd"
    grep -q "^$user:" "$LAB/group" || echo "$user:x:$number:" >>"$LAB/group"
    number=$((number + 1))
done
# Sockets and spools at compiled-in paths. A name cache of the machine has its socket in /run, and would bypass
# the resolver here.
# Sendmail's refusal of AUTH depends on the installed SASL mechanisms: here there are none, on any machine.
for directory in /run /var/lib /var/spool /usr/lib/sasl2 /usr/lib/*/sasl2; do
    [ ! -d "$directory" ] || mount -t tmpfs -o mode=755 none "$directory"
done
for file in passwd group resolv.conf hosts nsswitch.conf; do
    target=$(readlink -m /etc/$file)
    [ -e "$target" ] || { mkdir -p "$(dirname "$target")" && touch "$target"; }
    mount --bind "$LAB/$file" "$target"
done

status=0
"$@" || status=$?
umount -l "$LAB"
rmdir "$LAB"
exit $status
