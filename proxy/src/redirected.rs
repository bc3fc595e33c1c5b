//! Whether the redirect rules of our pod are there, told by what comes through them.
//!
//! We have no right to read the rules, and our own connections go past them. So the kubelet's first question is put to a port at
//! which nobody listens: it arrives, as a redirected call, only if the rules are in force. It is led to our admin port.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

/// How long the kubelet may take to ask before somebody is told.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is known of the rules. A clone knows the same.
#[derive(Clone, Debug)]
pub struct Redirected {
    /// The port that is asked; `None` where nobody asks.
    port: Option<u16>,
    seen: Arc<AtomicBool>,
}

impl Redirected {
    /// Nothing is known yet.
    pub fn by_port(port: Option<u16>) -> Self {
        Self { port, seen: Arc::default() }
    }

    /// Whether a call that was redirected from `port` is the question; if so, the rules are there.
    pub fn is_question(&self, port: u16) -> bool {
        let is_it = self.port == Some(port);
        if is_it {
            self.seen.store(true, Relaxed);
        }
        is_it
    }

    /// What is wrong, as long as the question has not come.
    pub fn missing(&self) -> Option<&'static str> {
        let is_missing = self.port.is_some() && !self.seen.load(Relaxed);
        is_missing
            .then_some("nothing has come through the redirect rules yet: is the container weft-init there, and before this one?")
    }

    /// Tells operators when the question does not come.
    pub async fn complain(self) {
        tokio::time::sleep(PATIENCE).await;
        if let Some(why) = self.missing() {
            tracing::warn!(port = self.port, "the kubelet's question does not arrive: {why}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_are_there_once_the_question_has_come() {
        let redirected = Redirected::by_port(Some(17004));
        assert!(!redirected.is_question(8080) && redirected.missing().is_some());
        assert!(redirected.clone().is_question(17004));
        assert_eq!(redirected.missing(), None);
        assert_eq!(Redirected::by_port(None).missing(), None, "where nobody asks");
    }
}
