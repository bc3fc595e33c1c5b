//! Opaque connections.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use anyhow::Context as _;

use super::{Load, dial};

/// What opaque bytes are: nothing that any protocol begins with.
const FILLING: u8 = 0xa5;

/// Sends back whatever comes, `bytes` at a time.
pub(super) fn echo(mut stream: TcpStream, bytes: usize) -> io::Result<()> {
    let mut buffer = vec![0; bytes];
    loop {
        stream.read_exact(&mut buffer)?;
        stream.write_all(&buffer)?;
    }
}

/// Sends `bytes` for every byte that comes.
pub(super) fn pour(mut stream: TcpStream, bytes: usize) -> io::Result<()> {
    let body = vec![FILLING; bytes];
    loop {
        stream.read_exact(&mut [0])?;
        stream.write_all(&body)?;
    }
}

/// Bytes to and fro on one connection.
pub(super) struct PingPong {
    stream: TcpStream,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl PingPong {
    pub(super) fn connect(address: SocketAddr, bytes: usize) -> anyhow::Result<Self> {
        Ok(Self { stream: dial(address)?, sent: vec![FILLING; bytes], received: vec![0; bytes] })
    }
}

impl Load for PingPong {
    fn exchange(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&self.sent).context("cannot send")?;
        self.stream.read_exact(&mut self.received).context("no echo")
    }
}

/// A new connection for each exchange.
pub(super) struct Connections {
    pub(super) address: SocketAddr,
    pub(super) bytes: usize,
}

impl Load for Connections {
    fn exchange(&mut self) -> anyhow::Result<()> {
        let mut connection = PingPong::connect(self.address, self.bytes)?;
        connection.exchange()?;
        // Until the app's end has come back as well, its proxies have something left to do.
        connection.stream.shutdown(Shutdown::Write)?;
        connection.stream.read_to_end(&mut connection.received).context("the connection does not end")?;
        Ok(())
    }
}

/// Much at once, one way.
pub(super) struct Bulk {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Bulk {
    pub(super) fn connect(address: SocketAddr, bytes: usize) -> anyhow::Result<Self> {
        Ok(Self { stream: dial(address)?, received: vec![0; bytes] })
    }
}

impl Load for Bulk {
    fn exchange(&mut self) -> anyhow::Result<()> {
        self.stream.write_all(&[FILLING]).context("cannot ask")?;
        self.stream.read_exact(&mut self.received).context("not all arrived")
    }
}
