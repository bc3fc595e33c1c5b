//! The pipe between the one writer of snapshots and their many readers, and the questions that travel back.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::{ArcSwap, Guard};
use tokio::sync::{mpsc, watch};

use super::{Answer, Snapshot};
use crate::refusal::{Reason, Refusal};

/// Questions that may wait for the feed at once. Past that a question is dropped, and its asker asks again or times out.
const QUESTIONS_MAX: usize = 4096;

/// "What is this address?"
pub type Ask = SocketAddr;

/// The writing end, held by the feed alone.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<ArcSwap<Snapshot>>,
    changed: watch::Sender<u64>,
}

/// The reading end; a clone for every worker.
#[derive(Clone, Debug)]
pub struct Reader {
    current: Arc<ArcSwap<Snapshot>>,
    changed: watch::Receiver<u64>,
    questions: mpsc::Sender<Ask>,
}

/// An empty snapshot with its two ends, and the questions readers will ask.
pub fn channel() -> (Publisher, Reader, mpsc::Receiver<Ask>) {
    let current = Arc::new(ArcSwap::from_pointee(Snapshot::default()));
    let (changed, changes) = watch::channel(0);
    let (questions, asked) = mpsc::channel(QUESTIONS_MAX);
    let reader = Reader { current: current.clone(), changed: changes, questions };
    (Publisher { current, changed }, reader, asked)
}

impl Publisher {
    /// Makes `snapshot` the current one, with the next version number.
    pub fn publish(&self, mut snapshot: Snapshot) {
        let version = *self.changed.borrow() + 1;
        snapshot.version = version;
        snapshot.received = Some(crate::clock::wall());
        self.current.store(Arc::new(snapshot));
        self.changed.send_replace(version);
    }
}

impl Reader {
    /// The current snapshot. Do not hold the guard across an `await`.
    pub fn current(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Resolves when a snapshot newer than the last one waited for is current; never when the feed is gone.
    pub async fn changed(&mut self) {
        if self.changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// What `address` is: at once when known, otherwise after asking control.
    ///
    /// # Errors
    /// [`Reason::DiscoveryTimeout`] when no answer came within `patience`. We fail closed: an address that control would
    /// have called a member of the mesh must not be dialled in plaintext because control was slow.
    pub async fn find(&self, address: SocketAddr, patience: Duration) -> Result<Answer, Refusal> {
        if let Some(answer) = self.current().addresses.get(&address) {
            return Ok(answer.clone());
        }
        tokio::time::timeout(patience, self.ask(address)).await.map_err(|_| {
            let patience = patience.as_secs_f32();
            Refusal::new(Reason::DiscoveryTimeout, format!("control did not say within {patience} s what {address} is"))
        })
    }

    async fn ask(&self, address: SocketAddr) -> Answer {
        let mut changed = self.changed.clone();
        loop {
            changed.mark_unchanged();
            if let Some(answer) = self.current().addresses.get(&address) {
                return answer.clone();
            }
            // A full queue means the feed is busy with other questions; the next publication is the moment to ask again.
            let _ = self.questions.try_send(address);
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> SocketAddr {
        "10.96.0.5:80".parse().unwrap()
    }

    #[tokio::test]
    async fn an_unknown_address_is_asked_for_and_found_when_it_is_published() {
        let (publisher, reader, mut asked) = channel();
        let finding = tokio::spawn(async move { reader.find(address(), Duration::from_secs(5)).await });
        assert_eq!(asked.recv().await, Some(address()));
        let addresses = [(address(), Answer::Unknown)].into_iter().collect();
        publisher.publish(Snapshot { addresses, ..Snapshot::default() });
        assert!(matches!(finding.await.unwrap(), Ok(Answer::Unknown)));
    }

    #[tokio::test]
    async fn silence_of_control_is_a_refusal_and_not_a_pass() {
        let (_publisher, reader, _asked) = channel();
        let refusal = reader.find(address(), Duration::from_millis(5)).await.unwrap_err();
        assert_eq!(refusal.reason, Reason::DiscoveryTimeout);
    }
}
