#!/bin/sh
# Creates the service's user and, after an upgrade, restarts a running service.
set -e

# Debian passes "configure" and the old version, if any. RPM passes how many
# versions are installed.
case $1 in
configure) upgraded=${2:-} ;;
1) upgraded= ;;
[2-9]) upgraded=yes ;;
*) exit 0 ;;
esac

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers caddy-telecrm.conf
elif ! getent passwd caddy >/dev/null; then
	useradd --system --user-group --home-dir /var/lib/caddy --shell /usr/sbin/nologin caddy
fi

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if [ -n "$upgraded" ]; then
		# A broken Caddyfile must not also break the upgrade.
		systemctl try-restart caddy-telecrm.service || true
	fi
fi
