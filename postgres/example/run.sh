#!/usr/bin/env bash
# Starts a fleet on this machine, to try it: PostgreSQL with a synchronous standby, three Caddies
# that share its outbox, a load balancer in front of them, and a stand-in for TeleCRM.
#
#	bash postgres/example/run.sh [CADDY]
#
# Without CADDY, the path of a Caddy with the outbox in PostgreSQL, it builds one with xcaddy. It
# needs bash 4.4 and PostgreSQL 14 or later, and Go to build. It does not need root; as root, it runs
# PostgreSQL as the user postgres. Everything listens on the loopback interface only, on ten ports
# from PORT (8080) on, and keeps its data in a temporary folder. Ctrl-C stops everything and removes
# the folder.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
	echo "$*" >&2
	exit 1
}

work=$(mktemp -d "${TMPDIR:-/tmp}/telecrm-fleet.XXXXXX")
caddies=()
servers=() # of PostgreSQL

# finish stops everything, the Caddies before their database.
finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM
	echo "Stopping everything ..."
	end TERM "${caddies[@]}"
	end INT "${servers[@]}"
	rm -rf "$work"
	exit "$status"
}
trap finish EXIT
trap 'exit 0' INT TERM

# end SIGNAL PID... ends processes that this script has started, even if they are stopped.
end() {
	local signal=$1 pid
	shift
	for pid; do
		if kill "-$signal" "$pid" 2>/dev/null; then
			kill -CONT "$pid" 2>/dev/null || true
		fi
	done
	for pid; do
		wait "$pid" 2>/dev/null || true
	done
}

# start NAME COMMAND... starts a process, whose id is then in $started. Ctrl-C does not reach it.
start() {
	local name=$1
	shift
	set -m
	"$@" </dev/null &>"$work/$name.log" &
	set +m
	started=$!
}

# await NAME COMMAND... waits until the command succeeds, for the process that was started last.
await() {
	local name=$1 deadline=$((SECONDS + 60))
	shift
	until "$@" &>/dev/null; do
		if ! kill -0 "$started" 2>/dev/null || ((SECONDS > deadline)); then
			tail -n 20 "$work/$name.log" >&2
			fail "$name does not start"
		fi
		sleep 0.1
	done
}

# find_postgres finds the folder of PostgreSQL's programs. Debian has one for each version.
find_postgres() {
	local initdb
	initdb=$(command -v initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) || true
	[[ -n $initdb ]] || fail "initdb is missing: install PostgreSQL 14 or later, on Debian with apt-get install postgresql"
	bin=$(dirname "$(realpath "$initdb")") # the other programs are beside it, not beside a link
	owner=(env)
	if ((EUID == 0)); then # PostgreSQL refuses to run as root
		id postgres >/dev/null || fail "there is no user postgres to run PostgreSQL as: create it, or run this without root"
		owner=(setpriv "--reuid=$(id -u postgres)" "--regid=$(id -g postgres)" --clear-groups)
	fi
}

# sql PORT STATEMENT [DATABASE] runs a statement as a superuser. Superusers connect through a socket
# in the folder, which only its owner can enter.
sql() {
	"${owner[@]}" "$bin/psql" -qXAt -v ON_ERROR_STOP=1 -h "$work/database" -p "$1" -U postgres -d "${3:-postgres}" <<<"$2"
}

# start_server NAME PORT
start_server() {
	start "$1" "${owner[@]}" "$bin/postgres" -D "$work/database/$1" -p "$2" -c "cluster_name=$1" \
		-c listen_addresses=127.0.0.1 -c "unix_socket_directories=$work/database"
	servers=("$started" "${servers[@]}") # the standby is to end first
	await "$1" "${owner[@]}" "$bin/pg_isready" -q -h "$work/database" -p "$2"
}

start_database() {
	mkdir -m 700 "$work/database"
	if ((EUID == 0)); then
		chown postgres "$work/database"
		chmod 711 "$work"
	fi
	"${owner[@]}" "$bin/initdb" -D "$work/database/primary" -U postgres -E UTF8 --locale=C \
		--auth-local=trust --auth-host=scram-sha-256 >"$work/initdb.log"
	start_server primary "$primary_port"
	primary=$started
	sql "$primary_port" "CREATE ROLE telecrm LOGIN PASSWORD '$password'"
	sql "$primary_port" "CREATE DATABASE leads"
	sql "$primary_port" "CREATE SCHEMA telecrm AUTHORIZATION telecrm" leads

	"${owner[@]}" "$bin/pg_basebackup" -D "$work/database/standby" -h "$work/database" -p "$primary_port" -U postgres \
		-R -X stream -c fast
	start_server standby "$standby_port"
	standby=$started
	await standby streams
	# From here on, a commit waits until the standby has it on its disk.
	sql "$primary_port" "ALTER SYSTEM SET synchronous_standby_names = 'standby'"
	sql "$primary_port" "SELECT pg_reload_conf()" >/dev/null
	await standby is_synchronous
}

streams() { sql "$primary_port" "SELECT state FROM pg_stat_replication" | grep -qx streaming; }
is_synchronous() { sql "$primary_port" "SELECT sync_state FROM pg_stat_replication" | grep -qx sync; }

# build_caddy builds Caddy as docs/fleet.md says, but from this checkout.
build_caddy() {
	local xcaddy version
	echo "Building Caddy with xcaddy, which takes a few minutes the first time ..."
	cd "$here/../.."
	xcaddy=$(command -v xcaddy) || {
		xcaddy=$work/xcaddy
		GOWORK=off go -C tools build -o "$xcaddy" github.com/caddyserver/xcaddy/cmd/xcaddy
	}
	version=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	caddy=$work/caddy
	"$xcaddy" build "$version" --output "$caddy" \
		--with github.com/leadwire/caddy-telecrm@v0.0.0=. \
		--with github.com/leadwire/caddy-telecrm/postgres@v0.0.0=./postgres &>"$work/xcaddy.log" ||
		{ tail -n 20 "$work/xcaddy.log" >&2; fail "xcaddy failed"; }
}

# start_caddy NAME PORT CADDYFILE VARIABLE=VALUE... starts a Caddy that listens on the port.
start_caddy() {
	local name=$1 port=$2 config=$3
	shift 3
	mkdir -m 700 "$work/$name"
	start "$name" env "HOME=$work/$name" "XDG_DATA_HOME=$work/$name" "XDG_CONFIG_HOME=$work/$name" \
		TELECRM_TOKEN=example-token "CRM_PORT=$crm_port" "$@" "$caddy" run --config "$here/$config" --adapter caddyfile
	caddies+=("$started")
	await "$name" connect "$port"
}

connect() { (exec 3<>"/dev/tcp/127.0.0.1/$1"); }

port=${PORT:-8080}
crm_port=$((port + 1))
primary_port=$((port + 8))
standby_port=$((port + 9))
# All servers are named. The one that accepts writes is used.
password=$(od -An -tx1 -N 16 /dev/urandom | tr -d ' \n')
dsn="postgres://telecrm:$password@127.0.0.1:$primary_port,127.0.0.1:$standby_port/leads"

for ((n = 0; n < 10; n++)); do
	! connect $((port + n)) 2>/dev/null || fail "port $((port + n)) is in use: set PORT to the first of ten free ones"
done
find_postgres
if (($# > 0)); then
	caddy=$(realpath "$1")
else
	build_caddy
fi
cd "$work"
echo "Starting PostgreSQL and its standby ..."
start_database
echo "Starting the Caddies ..."
# The stand-in for TeleCRM comes first, because the others ask it for its fields when they start.
start_caddy front "$port" Caddyfile.front "PORT=$port" \
	"WEB_PORT_1=$((port + 2))" "WEB_PORT_2=$((port + 3))" "WEB_PORT_3=$((port + 4))"
for n in 1 2 3; do
	start_caddy "web-$n" $((port + 1 + n)) Caddyfile.web "NODE=web-$n" "WEB_PORT=$((port + 1 + n))" \
		"ADMIN_PORT=$((port + 4 + n))" "SITE=$here/site" "TELECRM_DSN=$dsn"
done

cat <<END

the form            http://localhost:$port/contact
the leads           http://localhost:$crm_port

process    id       its operators' page
web-1      $(printf %-8s "${caddies[1]}") http://localhost:$((port + 5))/telecrm/
web-2      $(printf %-8s "${caddies[2]}") http://localhost:$((port + 6))/telecrm/
web-3      $(printf %-8s "${caddies[3]}") http://localhost:$((port + 7))/telecrm/
front      ${caddies[0]}
primary    $primary
standby    $standby

The logs and all data are in $work. The state of the fleet:
	$caddy telecrm status --address localhost:$((port + 5))
A machine dies:
	kill -9 ${caddies[1]}
The database dies, and its standby takes over:
	kill -QUIT $primary
	${owner[*]} $bin/psql -h $work/database -p $standby_port -U postgres -c 'SELECT pg_promote()'

Press Ctrl-C to stop everything and to remove the data.
END
wait
