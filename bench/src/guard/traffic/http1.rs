//! HTTP/1.1, as plain clients and apps speak it.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

use anyhow::{Context as _, ensure};

use super::{Load, dial};

/// Answers requests with `200` and so many bytes.
pub(super) fn answer(stream: TcpStream, bytes: usize) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(128 << 10, stream);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncache-control: no-store\r\n\
                x-request-id: 5f2b6c1e-8f0e-4b7e-9d55-0c8f6e1f3a21\r\ndate: Fri, 20 Nov 2026 10:00:00 GMT\r\n";
    let message = message(head, bytes);
    while read_message(&mut reader)?.is_some() {
        writer.write_all(&message)?;
    }
    Ok(())
}

/// Connections, each of which carries one request at a time.
pub(super) struct Client {
    connections: Vec<BufReader<TcpStream>>,
    request: Vec<u8>,
    answer: usize,
}

impl Client {
    pub(super) fn connect(address: SocketAddr, connections: usize, request: usize, answer: usize) -> anyhow::Result<Self> {
        let method = if request == 0 { "GET" } else { "POST" };
        let head = format!(
            "{method} /v1/items/4711?fields=name,price HTTP/1.1\r\nhost: catalogue.shop\r\nuser-agent: storefront/2.14.0\r\n\
             accept: application/json\r\naccept-encoding: gzip, br\r\n\
             traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
        );
        let connections: io::Result<_> =
            (0..connections).map(|_| Ok(BufReader::with_capacity(128 << 10, dial(address)?))).collect();
        Ok(Self { connections: connections?, request: message(&head, request), answer })
    }
}

impl Load for Client {
    fn exchange(&mut self) -> anyhow::Result<()> {
        for connection in &mut self.connections {
            connection.get_mut().write_all(&self.request).context("cannot send a request")?;
        }
        for connection in &mut self.connections {
            let message = read_message(connection).context("no answer")?.context("the connection ended before its answer")?;
            ensure!(message.start.contains(" 200 "), "the answer is {}", message.start);
            ensure!(message.body == self.answer, "{} bytes were answered, and {} expected", message.body, self.answer);
        }
        Ok(())
    }
}

/// A message of `head` and a body of so many bytes. What has no body says nothing of its length.
fn message(head: &str, bytes: usize) -> Vec<u8> {
    let length = if bytes == 0 { String::new() } else { format!("content-length: {bytes}\r\n") };
    [head.as_bytes(), length.as_bytes(), b"\r\n", &vec![b'x'; bytes]].concat()
}

/// A message that was read.
#[derive(Debug, PartialEq, Eq)]
struct Message {
    /// Its first line.
    start: String,
    /// Bytes of its body.
    body: usize,
}

/// Reads a message to its end; `None` when the connection ends before it begins.
fn read_message(reader: &mut impl BufRead) -> io::Result<Option<Message>> {
    let Some(start) = read_line(reader)? else { return Ok(None) };
    let mut body = 0;
    loop {
        let line = read_line(reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match line.split_once(':') {
            None if line.is_empty() => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                body = value.trim().parse().map_err(|_| io::Error::other(format!("content-length is {value}")))?;
            }
            _ => {}
        }
    }
    let read = io::copy(&mut reader.take(body as u64), &mut io::sink())?;
    if read < body as u64 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(Message { start, body }))
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.read_line(&mut line)?;
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok((read > 0).then_some(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_to_their_ends() {
        let two = [message("HTTP/1.1 200 OK\r\nX-A: 1\r\n", 3), message("GET / HTTP/1.1\r\n", 0)].concat();
        let mut reader = &two[..];
        assert_eq!(read_message(&mut reader).unwrap(), Some(Message { start: "HTTP/1.1 200 OK".into(), body: 3 }));
        assert_eq!(read_message(&mut reader).unwrap(), Some(Message { start: "GET / HTTP/1.1".into(), body: 0 }));
        assert_eq!(read_message(&mut reader).unwrap(), None);
    }

    #[test]
    fn a_message_that_breaks_off_is_an_error() {
        let whole = message("HTTP/1.1 200 OK\r\n", 3);
        for length in 1..whole.len() {
            assert!(read_message(&mut &whole[..length]).is_err(), "{length} bytes");
        }
    }
}
