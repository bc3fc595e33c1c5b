//! What comes in that should not.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use crate::control::{Control, WEB, endpoints, until};

fn failed(control: &Control, port: &str, reason: &str) -> f64 {
    control.metric(&format!("weft_control_handshakes_failed_total{{port=\"{port}\",reason=\"{reason}\"}}")).unwrap_or(0.0)
}

#[tokio::test]
async fn garbage_is_counted_and_disturbs_nobody() {
    let control = Control::start();
    for (port, name) in [(control.xds, "xds"), (control.certificates, "certificates")] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        until("the garbage to be counted", || failed(&control, name, "malformed") == 1.0).await;
        drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
        until("the hang-up to be counted", || failed(&control, name, "closed") == 1.0).await;
    }
    control.web().await;
}

#[tokio::test]
async fn the_silent_keep_nobody_waiting() {
    let control = Control::start();
    let silent: Vec<_> = (0..100).map(|_| TcpStream::connect(("127.0.0.1", control.certificates)).unwrap()).collect();
    control.web().await;
    assert!(failed(&control, "certificates", "crowd") >= 36.0, "one address holds only so many handshakes");
    drop(silent);
}

#[tokio::test]
async fn discovery_is_for_members() {
    let control = Control::start();
    // A client may try more than once.
    let foreigner = control.foreigner();
    assert!(control.discover(WEB, &foreigner, endpoints()).await.is_err());
    until("the foreigner to be counted", || failed(&control, "xds", "certificate") >= 1.0).await;
    let foreigners = failed(&control, "xds", "certificate");
    assert!(control.discover_by(WEB, control.strangers_tls(), endpoints()).await.is_err());
    until("the stranger to be counted", || failed(&control, "xds", "certificate") > foreigners).await;
    assert_eq!(control.metric("weft_control_handshakes_total{port=\"xds\"}"), Some(0.0));
}

#[tokio::test]
async fn who_does_not_believe_us_is_told_apart() {
    let (control, elsewhere) = (Control::start(), Control::start());
    assert!(control.discover_by(WEB, elsewhere.strangers_tls(), endpoints()).await.is_err());
    until("the unbeliever to be counted", || failed(&control, "xds", "disbelieved") >= 1.0).await;
}
