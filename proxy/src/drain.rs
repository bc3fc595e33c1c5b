//! Leaving politely: who is told, and who is still inside.

use std::{cell::Cell, rc::Rc};

use tokio::sync::{Notify, watch};

/// Whether this proxy is leaving. A clone for everyone who has to behave differently then.
#[derive(Clone, Debug)]
pub struct Drain(watch::Receiver<bool>);

/// The end that decides it.
#[derive(Debug)]
pub struct Trigger(watch::Sender<bool>);

/// A proxy that stays until the trigger is pulled.
pub fn channel() -> (Trigger, Drain) {
    let (sender, receiver) = watch::channel(false);
    (Trigger(sender), Drain(receiver))
}

impl Trigger {
    /// From now on the proxy is leaving.
    pub fn pull(&self) {
        self.0.send_replace(true);
    }
}

impl Drain {
    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves when it begins; at once when it has.
    pub async fn begins(&mut self) {
        if self.0.wait_for(|leaving| *leaving).await.is_err() {
            // The trigger is gone without being pulled: nobody will ever leave.
            std::future::pending::<()>().await;
        }
    }
}

/// How many connections a worker holds.
#[derive(Clone, Debug, Default)]
pub struct Occupancy(Rc<Inside>);

#[derive(Debug, Default)]
struct Inside {
    count: Cell<usize>,
    emptied: Notify,
}

/// One connection inside; it has left when this is dropped.
#[derive(Debug)]
pub struct Guest(Rc<Inside>);

impl Occupancy {
    /// One more is inside.
    pub fn enter(&self) -> Guest {
        self.0.count.set(self.0.count.get() + 1);
        Guest(self.0.clone())
    }

    /// How many are inside.
    pub fn count(&self) -> usize {
        self.0.count.get()
    }

    /// Resolves when nobody is inside.
    pub async fn emptied(&self) {
        while self.0.count.get() > 0 {
            self.0.emptied.notified().await;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get() - 1);
        if self.0.count.get() == 0 {
            self.0.emptied.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_empty_house_is_left_at_once_and_a_full_one_when_the_last_guest_goes() {
        let occupancy = Occupancy::default();
        occupancy.emptied().await;
        let guest = occupancy.enter();
        let waiting = occupancy.emptied();
        tokio::pin!(waiting);
        assert!(futures_util::poll!(waiting.as_mut()).is_pending());
        drop(guest);
        waiting.await;
    }
}
