//! A head that does not come to its end in time is not waited for.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Stdio},
    time::Duration,
};

use tests::{PATIENCE, eventually, program};

/// A proxy that ends with the test.
struct Proxy {
    program: Child,
    port: u16,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A proxy before an app that is declared to speak HTTP. It waits half a second for a head, and the app for ever.
fn proxy(app: &TcpListener) -> Proxy {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("proxy.yaml");
    let app = app.local_addr().expect("its address");
    let [port, admin] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let [port, admin] = [port, admin].map(|held| held.local_addr().expect("its address").port());
    let listener = format!("listeners: [{{address: '127.0.0.1:{port}', direction: inbound, destination: '{app}'}}]\n");
    fs::write(&config, format!("{listener}ports: {{{}: http}}\n", app.port())).expect("a configuration");
    let mut command = program("weft-proxy");
    command.arg("--config").arg(&config).env("WEFT_ADMIN_PORT", admin.to_string()).env("WEFT_HEAD_TIMEOUT_MS", "500");
    let program = command.stderr(Stdio::null()).spawn().expect("it starts");
    eventually("the proxy listens", || TcpStream::connect(("127.0.0.1", port)).ok());
    Proxy { program, port }
}

/// What a client is told who says this much and no more.
fn told(proxy: &Proxy, begun: &[u8]) -> String {
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port)).expect("the proxy");
    client.set_read_timeout(Some(PATIENCE.min(Duration::from_secs(5)))).expect("a timeout");
    client.write_all(begun).expect("it is taken");
    let mut told = Vec::new();
    match client.read_to_end(&mut told) {
        Ok(_) => String::from_utf8_lossy(&told).into_owned(),
        Err(error) => format!("{error} after {}", String::from_utf8_lossy(&told)),
    }
}

#[test]
fn a_head_that_is_not_finished_in_time_is_refused() {
    let app = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = proxy(&app);
    for begun in [&b"GET / HTTP/1.1\r\n"[..], b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: a", b"GET / HTTP/1.1\r\nHost: x\r\n\r"] {
        let told = told(&proxy, begun);
        assert!(
            told.starts_with("HTTP/1.1 408 ") && told.contains("weft-reason: client_slow"),
            "{}: {told}",
            begun.escape_ascii()
        );
    }
}

#[test]
fn a_first_line_that_is_not_finished_in_time_is_refused() {
    let app = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = proxy(&app);
    for begun in [&b"G"[..], b"GET / HTT"] {
        let told = told(&proxy, begun);
        assert!(
            told.starts_with("HTTP/1.1 408 ") && told.contains("weft-reason: client_slow"),
            "{}: {told}",
            begun.escape_ascii()
        );
    }
}
