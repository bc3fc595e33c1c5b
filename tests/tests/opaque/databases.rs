//! Databases with their own clients: one that speaks first (MariaDB), one that changes to TLS on the way (PostgreSQL), and one
//! that may be silent for long (Redis).

use std::fs;

use serde_json::json;
use tests::{App, Mesh, Running, WORLDS, World, both, manifests, outside, script, ways};

use crate::certificate::certificate;

/// Longer than any wait of a proxy for a first word.
const SILENCE_SECONDS: &str = "20";

#[test]
fn databases_work_in_every_world() {
    let (mariadb, postgres) = (script("mariadb.sh"), script("postgres.sh"));
    let certificate = certificate(&["sql", "plain-sql"]);
    let mut apps = vec![outside()];
    apps.extend(both("db", |name| as_user("mysql", App::new(name, 3306, &["bash", &mariadb]))));
    apps.extend(both("sql", |name| {
        let app = App::new(name, 5432, &["bash", &postgres]);
        as_user("postgres", app).workload("env", json!([{"name": "CERTIFICATE", "value": certificate}]))
    }));
    apps.extend(both("cache", |name| {
        App::new(name, 6379, &["redis-server", "--save", "", "--protected-mode", "no", "--dir", "/tmp"])
    }));
    let mesh = Mesh::up_with(&manifests(&apps), &[("ca.pem", &certificate)]);
    for pod in ["outside-0", "cache-0", "plain-cache-0"] {
        mesh.ready(pod);
    }
    let idle = script("redis_idle.py");
    let idle = |world: World| {
        let host = world.host("cache");
        Running::start(world.command(&mesh, &format!("patient-with-{host}"), &["python3", &idle, &host, SILENCE_SECONDS]))
    };
    let idle: Vec<(World, Running)> = WORLDS.into_iter().map(|world| (world, idle(world))).collect();
    for pod in ["db-0", "plain-db-0", "sql-0", "plain-sql-0"] {
        mesh.ready(pod);
    }
    for (world, family) in ways() {
        println!("{world}, IPv{family}");
        mariadb_answers(world, family, &mesh);
        postgresql_answers(world, family, &mesh);
        redis_answers(world, family, &mesh);
    }
    for (world, mut idle) in idle {
        let output = idle.output();
        let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(told, ":1 hello\n:1 hello\n", "{world}: {errors}");
    }
}

/// `$address` is the server's own, of one family: most clients cannot be told which to take.
fn in_shell(world: World, family: &str, mesh: &Mesh, server: &str, ask: &str) -> String {
    let host = world.host(server);
    let ask = format!("set -e; host={host}; address=$(getent ahostsv{family} {host} | head -n 1 | cut -d ' ' -f 1); {ask}");
    world.call(mesh, &["sh", "-c", &ask])
}

fn mariadb_answers(world: World, family: &str, mesh: &Mesh) {
    let sql = "create or replace table t (n int, filling text); \
               insert into t select seq, repeat('x', 1000) from seq_1_to_2000; select sum(n), sum(length(filling)) from t";
    let ask = format!("mariadb --no-defaults -h $address -u shop -p'open sesame' shop -N -B -e \"{sql}\"");
    assert_eq!(in_shell(world, family, mesh, "db", &ask), "2001000\t2000000\n");
}

fn postgresql_answers(world: World, family: &str, mesh: &Mesh) {
    let sql = "select ssl, version from pg_stat_ssl where pid = pg_backend_pid(); \
               select count(*), sum(length(repeat('x', 1000))) from generate_series(1, 20000) as n";
    let ca = mesh.folder().join("ca.pem");
    let ask = |mode: &str| {
        let place =
            format!("host=$host hostaddr=$address user=shop dbname=postgres connect_timeout=10 sslrootcert={}", ca.display());
        in_shell(world, family, mesh, "sql", &format!("psql \"{place} sslmode={mode}\" -At -c \"{sql}\""))
    };
    assert_eq!(ask("require"), "t|TLSv1.3\n20000|20000000\n");
    assert_eq!(ask("verify-full"), "t|TLSv1.3\n20000|20000000\n");
    assert_eq!(ask("disable"), "f|\n20000|20000000\n");
}

fn redis_answers(world: World, family: &str, mesh: &Mesh) {
    let ask = "ask() { redis-cli -h $address \"$@\"; }; ask set n 0; ask -r 3 incr n; head -c 1000000 /dev/zero | ask -x set zeros; ask strlen zeros";
    assert_eq!(in_shell(world, family, mesh, "cache", ask), "OK\n1\n2\n3\nOK\n1000000\n");
}

/// `app` as the user that Debian's package makes. Who is not root is himself.
fn as_user(user: &str, app: App) -> App {
    if !rustix::process::geteuid().is_root() {
        return app;
    }
    let passwd = fs::read_to_string("/etc/passwd").expect("users");
    let line = passwd.lines().find(|line| line.split(':').next() == Some(user)).expect("Debian's package makes the user");
    let number = |field: usize| line.split(':').nth(field).and_then(|number| number.parse::<u32>().ok()).expect("a number");
    app.workload("securityContext", json!({"runAsUser": number(2), "runAsGroup": number(3)}))
}
