//! Whether an app can be called.
//!
//! Asked from inside its pod: what connects to a pod's own address there passes no redirect rule, so a probe reaches the
//! app itself, and counts as nobody's request.

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context as _, bail};
use kernel::namespace::within;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};

use super::{network::Home, workload};

/// Between questions until the first "yes", where nothing else is said.
const EAGER: Duration = Duration::from_millis(10);

/// Where nothing else is said, an answer comes within this time or counts as "no".
const PATIENCE: Duration = Duration::from_secs(1);

/// A question that can be asked.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// Nothing: who runs is ready.
    None,
    /// Does it accept connections?
    Connect(SocketAddr),
    /// Does it answer with a status from 200 to 399?
    Get(SocketAddr, String),
    /// Does this command succeed?
    Execute(Vec<String>),
}

/// How often to ask, and what to make of the answers.
#[derive(Clone, Debug)]
pub(crate) struct Rhythm {
    pub(crate) delay: Duration,
    pub(crate) period: Duration,
    pub(crate) timeout: Duration,
    /// Failures in a row that make it unready.
    pub(crate) failures: u32,
    /// Successes in a row that make it ready.
    pub(crate) successes: u32,
    /// Whether to go on asking once it is ready.
    pub(crate) for_ever: bool,
}

impl Rhythm {
    /// As often as is reasonable, until the first "yes".
    pub(crate) fn eager() -> Self {
        Self { delay: Duration::ZERO, period: EAGER, timeout: PATIENCE, failures: 1, successes: 1, for_ever: false }
    }

    /// As the manifest says.
    pub(crate) fn of(probe: &workload::Probe) -> Self {
        Self {
            delay: workload::seconds(probe.initial_delay_seconds),
            period: workload::seconds(probe.period_seconds),
            timeout: workload::seconds(probe.timeout_seconds),
            failures: probe.failure_threshold,
            successes: probe.success_threshold,
            for_ever: true,
        }
    }
}

/// Watches the runs of a process and keeps `ready` true. Never returns.
pub(crate) async fn attend(
    mut runs: watch::Receiver<Option<u64>>,
    ready: &watch::Sender<bool>,
    rhythm: &Rhythm,
    ask: impl AsyncFn() -> bool,
) {
    loop {
        let Ok(run) = runs.wait_for(Option::is_some).await.map(|run| *run) else { break };
        tokio::select! {
            () = asking(rhythm, ready, &ask) => {}
            _ = runs.wait_for(|now| *now != run) => {}
        }
        ready.send_replace(false);
    }
    std::future::pending().await
}

async fn asking(rhythm: &Rhythm, ready: &watch::Sender<bool>, ask: &impl AsyncFn() -> bool) {
    sleep(rhythm.delay).await;
    let (mut successes, mut failures) = (0, 0);
    loop {
        if timeout(rhythm.timeout, ask()).await.unwrap_or(false) {
            (successes, failures) = (successes + 1, 0);
        } else {
            (successes, failures) = (0, failures + 1);
        }
        if successes >= rhythm.successes {
            ready.send_if_modified(|ready| !std::mem::replace(ready, true));
            if !rhythm.for_ever {
                std::future::pending::<()>().await;
            }
        } else if failures >= rhythm.failures {
            ready.send_if_modified(|ready| std::mem::replace(ready, false));
        }
        // Kubernetes waits a whole period before the first "yes" too. Here somebody is waiting at the keyboard.
        let first = rhythm.for_ever && !*ready.borrow();
        sleep(if first { rhythm.period.min(Duration::from_millis(100)) } else { rhythm.period }).await;
    }
}

/// Asks an app in the pod `home`.
pub(crate) async fn ask(question: &Question, home: &Home) -> bool {
    let asked = match question {
        Question::None => Ok(()),
        Question::Connect(address) => connect(*address, home).await.map(drop),
        Question::Get(address, path) => match connect(*address, home).await {
            Ok(stream) => get(stream, *address, path).await,
            Err(error) => Err(error),
        },
        // The pod itself executes it: see `pod`.
        Question::Execute(_) => Err(anyhow::anyhow!("not a question for a socket")),
    };
    asked.is_ok()
}

async fn connect(address: SocketAddr, home: &Home) -> anyhow::Result<TcpStream> {
    let socket = within(&[&home.network], || if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() })??;
    Ok(socket.connect(address).await?)
}

/// Asks for `path` and succeeds if the answer is good.
pub(crate) async fn get(mut stream: TcpStream, address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: weft-probe\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    let status = std::str::from_utf8(&head[9..]).ok().and_then(|text| text.parse::<u16>().ok()).context("no HTTP")?;
    if !(200..400).contains(&status) {
        bail!("status {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn quick() -> Rhythm {
        Rhythm {
            delay: Duration::ZERO,
            period: Duration::from_millis(1),
            timeout: PATIENCE,
            failures: 3,
            successes: 1,
            for_ever: true,
        }
    }

    #[tokio::test]
    async fn one_failure_is_no_failure_and_three_are() {
        let (ready, seen) = watch::channel(false);
        let answers = Cell::new(0_u32);
        let (_runs, running) = watch::channel(Some(1));
        let rhythm = quick();
        let attending = attend(running, &ready, &rhythm, async || {
            answers.set(answers.get() + 1);
            // Good, one bad, good, then bad for ever.
            matches!(answers.get(), 1 | 3)
        });
        let _ = timeout(Duration::from_millis(200), attending).await;
        assert!(answers.get() >= 6);
        assert!(!*seen.borrow());
    }

    #[tokio::test]
    async fn a_new_run_must_prove_itself_anew() {
        let (ready, mut seen) = watch::channel(false);
        let (runs, running) = watch::channel(Some(1));
        let rhythm = Rhythm::eager();
        let good = Cell::new(true);
        let attending = attend(running, &ready, &rhythm, async || good.get());
        let test = async {
            seen.wait_for(|ready| *ready).await.unwrap();
            good.set(false);
            runs.send_replace(None);
            seen.wait_for(|ready| !*ready).await.unwrap();
            runs.send_replace(Some(2));
            sleep(Duration::from_millis(30)).await;
            assert!(!*seen.borrow());
        };
        tokio::select! { () = attending => {}, () = test => {} }
    }
}
