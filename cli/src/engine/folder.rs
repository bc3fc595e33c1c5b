//! Noticing edits of the user's directory.

use std::{path::Path, time::Duration};

use notify::{EventKind, RecursiveMode, Watcher, event::AccessKind, event::AccessMode};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

/// An edit is several events; editors need about this long for one.
const SETTLE: Duration = Duration::from_millis(20);

/// Some file systems tell nothing: look from time to time.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Notices that something in a directory may have changed.
pub(crate) struct Folder {
    events: mpsc::Receiver<()>,
    /// When to look next, come what may.
    look: Instant,
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Folder {
    /// Watches `directory`; where that is impossible, only by looking from time to time.
    pub(crate) fn watch(directory: &Path) -> Self {
        let (tell, events) = mpsc::channel(1);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| is_edit(event.kind)) {
                // Full means that somebody is about to look anyway.
                let _ = tell.try_send(());
            }
        });
        let watcher = watcher.and_then(|mut watcher| {
            watcher.watch(directory, RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        Self { events, look: Instant::now() + LOOK_AGAIN, _watcher: watcher.ok() }
    }

    /// Resolves when it is worth looking. May be dropped and asked again: nothing is forgotten.
    pub(crate) async fn changed(&mut self) {
        loop {
            tokio::select! {
                Some(()) = self.events.recv() => self.look = self.look.min(Instant::now() + SETTLE),
                () = sleep_until(self.look) => {
                    self.look = Instant::now() + LOOK_AGAIN;
                    return;
                }
            }
        }
    }
}

/// Reading is none; otherwise our own reading would be news to us.
fn is_edit(kind: EventKind) -> bool {
    !kind.is_access() || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_edit_is_not_forgotten_by_who_stops_listening() {
        let (tell, events) = mpsc::channel(1);
        let mut folder = Folder { events, look: Instant::now() + LOOK_AGAIN, _watcher: None };
        tell.send(()).await.unwrap();
        let since = Instant::now();
        while tokio::time::timeout(SETTLE / 4, folder.changed()).await.is_err() {}
        assert!(since.elapsed() >= SETTLE);
        assert!(since.elapsed() < LOOK_AGAIN / 2);
    }
}
