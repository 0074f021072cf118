#!/bin/sh
# Runs a command as if the unpacked mail servers were installed: their files are mounted over those of this machine, their users
# exist, and their output is written to memory. Must be started in new mount and PID namespaces, as root:
#
#     unshare --mount --pid --fork --kill-child --mount-proc tests/mta/machine.sh SENDMAIL COMMAND…
#
# SENDMAIL is the program that becomes `sendmail`. The mounts end with the namespaces.
set -e
foreign=$(readlink -f "$(dirname "$0")/../../target/foreign")
sendmail=$1
shift

mount --make-rprivate /
memory=/mnt
mount -t tmpfs -o mode=755 none $memory
for directory in etc var usr; do
    mkdir $memory/$directory $memory/$directory.work
    mount -t overlay -o "lowerdir=$foreign/$directory:/$directory,upperdir=$memory/$directory,workdir=$memory/$directory.work" \
        none /$directory
done
mount -t tmpfs -o mode=755 none /run
# Libraries of /lib: if the machine lacks them, they are unpacked with the programs.
[ ! -d "$foreign/lib" ] || cp -a "$foreign/lib/." /usr/lib/
ln -sf "$sendmail" /usr/sbin/sendmail
# Haraka, and the Node that npm installed next to it if the machine's is too old.
for program in haraka node; do
    [ ! -e "$foreign/haraka/node_modules/.bin/$program" ] || ln -sf "$foreign/haraka/node_modules/.bin/$program" /usr/bin/
done
ldconfig

number=64100
for user in postfix postdrop Debian-exim opensmtpd opensmtpq smmta smmsp; do
    grep -q "^$user:" /etc/passwd || echo "$user:x:$number:$number::/nonexistent:/usr/sbin/nologin" >>/etc/passwd
    grep -q "^$user:" /etc/group || echo "$user:x:$number:" >>/etc/group
    number=$((number + 1))
done
# The steps of the packages' installation scripts.
chown postfix:postfix /var/lib/postfix
cp /usr/share/postfix/master.cf.dist /etc/postfix/master.cf
chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue
chgrp opensmtpq /usr/sbin/smtpctl
chmod g+s /usr/sbin/postdrop /usr/sbin/postqueue /usr/sbin/smtpctl
mkdir -p /var/spool/exim4 /var/log/exim4 /var/spool/smtpd /var/lib/opensmtpd/empty /var/spool/mqueue
chown Debian-exim:Debian-exim /var/spool/exim4 /var/log/exim4
chmod 711 /var/spool/smtpd

status=0
"$@" || status=$?
exit $status
