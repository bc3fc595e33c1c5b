# PostgreSQL on port 5432 of both families, with TLS of its own if $CERTIFICATE (certificate and key) is set. Its data go with it.
set -e
data=$(mktemp -d /tmp/weft-postgres.XXXXXX)
trap 'rm -rf "$data"' EXIT
programs=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
"$programs/initdb" -D "$data" -U shop -A trust --no-sync >/dev/null
echo 'host all all all trust' >>"$data/pg_hba.conf"
if [ -n "$CERTIFICATE" ]; then
  (umask 077 && echo "$CERTIFICATE" >"$data/server.pem")
  tls="-c ssl=on -c ssl_cert_file=server.pem -c ssl_key_file=server.pem"
fi
"$programs/postgres" -D "$data" -k '' -h '*' -F ${tls:-} &
trap 'kill -INT $!; wait $!' TERM
wait $!
