#!/bin/sh
# Removes the service from systemd. Certificates and leads in /var/lib/caddy stay,
# even when Debian purges the package: a lead is never removed by accident.
set -e

if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
