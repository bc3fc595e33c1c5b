//! Both ends on a real socket that takes little at a time.

use std::{future::poll_fn, io, net::Ipv4Addr, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::future::join_all;
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{LocalSet, spawn_local},
};

use super::{
    super::{Client, Ours, Receiver, Sender, Server, client},
    OURS, answered, asked,
};

/// Bytes that a socket holds each way; the kernel makes it a little more.
const SOCKET: usize = 32 * 1024;

/// Bytes of one body, and of one piece of it.
const BODY: usize = 512 * 1024;
const PIECE: usize = 24 * 1024;

const STREAMS: usize = 6;

/// Long enough for a busy machine. A wake-up that is lost takes forever.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn bulk_both_ways_at_once_comes_to_its_end() {
    let ours = Ours { connection_window: 1 << 20, ..OURS };
    let work = LocalSet::new();
    let done = work.run_until(async {
        let (near, far) = sockets().await.expect("a pair of sockets");
        spawn_local(serve(Server::new(far, BytesMut::new(), ours)));
        let (client, driver) = client(near, ours);
        let driver = spawn_local(driver);
        // One stands still: nobody takes its answer until all others have ended.
        let (still, still_sends) = client.request(&asked(), false).expect("a stream");
        let still_sends = spawn_local(send_all(still_sends));
        let all = join_all((0..STREAMS).map(|_| spawn_local(exchange(client.clone())))).await;
        assert!(all.into_iter().all(|received| received.is_ok_and(|received| received == BODY)));
        assert_eq!(receive_all(still).await, BODY);
        still_sends.await.expect("it sent everything");
        drop(client);
        driver.await.expect("no panic").expect("it ended in order");
    });
    tokio::time::timeout(PATIENCE, done).await.expect("nothing stalls");
}

async fn exchange(client: Client) -> usize {
    let (receive, send) = client.request(&asked(), false).expect("a stream");
    spawn_local(send_all(send));
    receive_all(receive).await
}

/// Answers each stream with as much as it takes, at the same time.
async fn serve(mut server: Server<TcpStream>) {
    while let Some(Ok((_, receive, send))) = server.accept().await {
        send.answer(&answered(), false).expect("the client is there");
        spawn_local(async move { assert_eq!(receive_all(receive).await, BODY) });
        spawn_local(send_all(send));
    }
}

async fn send_all(send: Sender) {
    for begin in (0..BODY).step_by(PIECE) {
        poll_fn(|cx| send.poll_ready(cx)).await.expect("the other end takes it");
        send.send(Bytes::from(vec![7; PIECE.min(BODY - begin)]), false).expect("the other end takes it");
    }
    send.send(Bytes::new(), true).expect("the other end takes it");
}

async fn receive_all(receive: Receiver) -> usize {
    let mut received = 0;
    while let Some(piece) = poll_fn(|cx| receive.poll_data(cx)).await {
        let length = piece.expect("nobody breaks it off").len();
        receive.release(length);
        received += length;
    }
    received
}

async fn sockets() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    SockRef::from(&listener).set_recv_buffer_size(SOCKET)?;
    let near = TcpStream::connect(listener.local_addr()?).await?;
    let (far, _) = listener.accept().await?;
    for stream in [&near, &far] {
        SockRef::from(stream).set_send_buffer_size(SOCKET)?;
        SockRef::from(stream).set_recv_buffer_size(SOCKET)?;
    }
    Ok((near, far))
}
