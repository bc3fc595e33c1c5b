# MariaDB on port 3306 of both families, with a user `shop` whose password is `open sesame`. Its data go with it.
set -e
data=$(mktemp -d /tmp/weft-mariadb.XXXXXX)
trap 'rm -rf "$data"' EXIT
mariadb-install-db --no-defaults --datadir="$data" --auth-root-authentication-method=normal --skip-test-db >/dev/null
cat >"$data/users.sql" <<END
create user 'shop'@'%' identified by 'open sesame';
create database shop;
grant all on shop.* to 'shop'@'%';
END
mariadbd --no-defaults --datadir="$data" --socket="$data/socket" --bind-address='*' --port=3306 --init-file="$data/users.sql" \
  --skip-name-resolve --innodb-buffer-pool-size=8M --innodb-flush-log-at-trx-commit=0 &
trap 'kill $!; wait $!' TERM
wait $!
