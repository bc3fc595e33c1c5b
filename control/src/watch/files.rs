//! Hearing of changes in a directory.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use tokio::sync::oneshot;

use super::{
    Watched,
    folder::{Folder, News},
};
use crate::{clock, manifest::Problem, metrics::Metrics, state::State};

/// One edit is often several events; they are waited for together.
const SETTLE: Duration = Duration::from_millis(10);

/// Should the kernel ever fail to tell of a change, it is found by looking.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// How often to look when the kernel does not tell us anything.
const POLL: Duration = Duration::from_millis(500);

/// Keeps `state` in line with the manifests in `folder`, on a thread of its own: reading files blocks.
///
/// # Errors
/// There cannot be another thread.
pub(crate) fn watch(folder: PathBuf, state: State, metrics: Metrics) -> std::io::Result<Watched> {
    let (alive, watched) = oneshot::channel();
    thread::Builder::new().name(String::from("watch")).spawn(move || {
        let _alive = alive;
        Watch::new(folder, state, metrics).follow();
    })?;
    Ok(watched)
}

struct Watch {
    folder: Folder,
    path: PathBuf,
    state: State,
    metrics: Metrics,
    reported: Vec<Problem>,
    /// It was said that the kernel tells us nothing.
    deaf: bool,
}

/// How a wait for news ended.
enum Heard {
    /// Something changed, or may have.
    News,
    /// What the kernel watches is not there any more.
    WatchLost,
}

impl Watch {
    fn new(path: PathBuf, state: State, metrics: Metrics) -> Self {
        Self { folder: Folder::new(&path), path, state, metrics, reported: Vec::new(), deaf: false }
    }

    fn follow(mut self) {
        loop {
            let ears = self.listen();
            // A directory that is gone may be made again, and would be another one to the kernel.
            while self.look() && ears.as_ref().is_some_and(|ears| matches!(ears.wait(), Heard::News)) {}
            if ears.is_none() {
                thread::sleep(POLL);
            }
        }
    }

    fn listen(&mut self) -> Option<Ears> {
        match Ears::on(&self.path) {
            Ok(ears) => {
                self.deaf = false;
                Some(ears)
            }
            Err(error) => {
                if !std::mem::replace(&mut self.deaf, true) {
                    let hint = "if it is a limit, raise fs.inotify.max_user_watches or max_user_instances";
                    let path = self.path.display();
                    tracing::warn!(%path, %error, hint, "the kernel does not tell of changes: looking twice a second instead");
                }
                None
            }
        }
    }

    /// Reads what changed. Returns whether the directory is there.
    fn look(&mut self) -> bool {
        let News { changes, problems, listed } = self.folder.look(clock::wall());
        self.report(problems);
        if listed && self.state.take(changes) {
            self.metrics.changed();
        }
        listed
    }

    fn report(&mut self, problems: Vec<Problem>) {
        for problem in problems.iter().filter(|problem| !self.reported.contains(problem)) {
            tracing::error!(%problem, "the last good version stays in force");
        }
        if problems != self.reported {
            self.metrics.problems(problems.len());
            self.state.set_problems(problems.iter().map(ToString::to_string).collect());
            self.reported = problems;
        }
    }
}

/// The kernel's news of one directory.
struct Ears {
    news: Receiver<Heard>,
    _watcher: RecommendedWatcher,
}

impl Ears {
    fn on(path: &Path) -> notify::Result<Self> {
        let (tell, news) = sync_channel(64);
        let watched = path.to_owned();
        let mut watcher = notify::recommended_watcher(move |event| hear(&tell, &watched, event))?;
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(Self { news, _watcher: watcher })
    }

    /// Waits for news, and until the edit that is the news has settled.
    fn wait(&self) -> Heard {
        let mut heard = match self.news.recv_timeout(LOOK_AGAIN) {
            Ok(heard) => heard,
            Err(RecvTimeoutError::Timeout) => return Heard::News,
            Err(RecvTimeoutError::Disconnected) => return Heard::WatchLost,
        };
        thread::sleep(SETTLE);
        while let Ok(more) = self.news.try_recv() {
            if matches!(more, Heard::WatchLost) {
                heard = more;
            }
        }
        heard
    }
}

fn hear(tell: &SyncSender<Heard>, watched: &Path, event: notify::Result<Event>) {
    let heard = match event {
        Ok(event) if is_reading(event.kind) => return,
        Ok(event) if is_leaving(event.kind) && event.paths.iter().any(|path| path == watched) => Heard::WatchLost,
        // An error may hide a change.
        Ok(_) | Err(_) => Heard::News,
    };
    // Full means that somebody is about to look anyway.
    let _ = tell.try_send(heard);
}

/// Whether somebody only read. We do so ourselves whenever we look, and must not take that for news.
fn is_reading(kind: EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// Whether something was removed or has another name now.
fn is_leaving(kind: EventKind) -> bool {
    matches!(kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)))
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Instant};

    use super::*;

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        #[allow(clippy::disallowed_methods)]
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn service(name: &str) -> String {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n")
    }

    fn followed() -> (tempfile::TempDir, State, Watched) {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(crate::plan::tests::mesh());
        let watched = watch(folder.path().to_owned(), state.clone(), Metrics::new()).unwrap();
        until("it is read once", || state.is_loaded());
        (folder, state, watched)
    }

    #[test]
    fn an_edit_is_heard_of() {
        let (folder, state, _watched) = followed();
        fs::write(folder.path().join("a.yaml"), service("a")).unwrap();
        until("the service is known", || state.sizes().services == 1);
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        until("the service is gone", || state.sizes().services == 0);
    }

    #[test]
    fn reading_is_no_news() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), service("a")).unwrap();
        let ears = Ears::on(folder.path()).unwrap();
        fs::read(folder.path().join("a.yaml")).unwrap();
        assert!(ears.news.recv_timeout(Duration::from_millis(200)).is_err());
        fs::write(folder.path().join("a.yaml"), service("b")).unwrap();
        assert!(ears.news.recv_timeout(Duration::from_secs(10)).is_ok());
    }

    #[test]
    fn a_directory_that_is_made_again_is_followed_again() {
        let (folder, state, _watched) = followed();
        fs::write(folder.path().join("a.yaml"), service("a")).unwrap();
        until("the service is known", || state.sizes().services == 1);
        fs::remove_dir_all(folder.path()).unwrap();
        fs::create_dir(folder.path()).unwrap();
        until("the service is gone", || state.sizes().services == 0);
        fs::write(folder.path().join("b.yaml"), service("b")).unwrap();
        until("the new service is known", || state.sizes().services == 1);
    }
}
