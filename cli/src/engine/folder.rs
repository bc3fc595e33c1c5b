//! Noticing edits of the user's directory.

use std::{path::Path, time::Duration};

use notify::{EventKind, RecursiveMode, Watcher, event::AccessKind, event::AccessMode};
use tokio::sync::mpsc;

/// An edit is several events; editors need about this long for one.
const SETTLE: Duration = Duration::from_millis(20);

/// Some file systems tell nothing: look from time to time.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// Notices that something in a directory may have changed.
pub(crate) struct Folder {
    events: mpsc::Receiver<()>,
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
        Self { events, _watcher: watcher.ok() }
    }

    /// Resolves when it is worth looking.
    pub(crate) async fn changed(&mut self) {
        tokio::select! {
            Some(()) = self.events.recv() => {
                tokio::time::sleep(SETTLE).await;
                while self.events.try_recv().is_ok() {}
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Reading is none; otherwise our own reading would be news to us.
fn is_edit(kind: EventKind) -> bool {
    !kind.is_access() || kind == EventKind::Access(AccessKind::Close(AccessMode::Write))
}
