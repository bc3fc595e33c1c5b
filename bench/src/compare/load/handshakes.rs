//! Full mutual handshakes, one after another.

use std::{
    io::{ErrorKind, Read},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use rustls::{ClientConfig, ClientConnection, pki_types::ServerName};

use super::{
    order::{Order, Tls},
    tally::Tally,
    tls,
};
use crate::clock;

/// For the other side to do its part.
const PATIENCE: Duration = Duration::from_secs(5);

/// Makes handshakes for the time of the order.
///
/// # Errors
/// Our own certificate cannot be used, or nothing can be dialled.
pub(super) fn run(order: &Order, tls: &Tls) -> anyhow::Result<Tally> {
    let config = tls::client(tls)?;
    let mut tally = Tally::default();
    let began = clock::now();
    while began.elapsed() < order.time {
        let stream = TcpStream::connect(order.target).with_context(|| format!("cannot connect to {}", order.target))?;
        match handshake(stream, &config) {
            Ok(agreed) => {
                tally.requests += 1;
                tally.tls = Some(agreed);
            }
            Err(error) => {
                eprintln!("a handshake failed: {error:#}");
                tally.errors += 1;
            }
        }
    }
    tally.seconds = began.elapsed().as_secs_f64();
    Ok(tally)
}

/// One handshake, up to the other side's end of the connection: a client knows that it was believed only when nothing else
/// than that comes. Returns what was agreed on.
fn handshake(mut stream: TcpStream, config: &Arc<ClientConfig>) -> anyhow::Result<String> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Whom we expect is in the configuration; no DNS name is sent or verified.
    let name = ServerName::from(stream.peer_addr()?.ip());
    let mut connection = ClientConnection::new(config.clone(), name)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    while connection.wants_write() {
        connection.write_tls(&mut stream)?;
    }
    stream.shutdown(Shutdown::Write)?;
    while connection.read_tls(&mut stream)? > 0 {
        connection.process_new_packets().context("after the handshake")?;
        // A proxy may begin to talk before it sees the end.
        match connection.reader().read(&mut [0; 4096]) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => break,
            _ => {}
        }
    }
    let group = connection.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    let suite = connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
    Ok(format!("{}, {}", group.unwrap_or_default(), suite.unwrap_or_default()))
}
