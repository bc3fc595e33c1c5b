//! The word that we are about to leave.

use tokio::sync::watch;

/// Gives the word. Dropping it gives it, too.
#[derive(Debug)]
pub(crate) struct Leave(watch::Sender<bool>);

/// Waits for the word.
#[derive(Clone, Debug)]
pub(crate) struct Leaving(watch::Receiver<bool>);

impl Leave {
    pub(crate) fn new() -> (Self, Leaving) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), Leaving(receiver))
    }

    pub(crate) fn now(&self) {
        self.0.send_replace(true);
    }
}

impl Leaving {
    /// Returns once the word is given.
    pub(crate) async fn begins(&mut self) {
        let _ = self.0.wait_for(|leaving| *leaving).await;
    }
}
