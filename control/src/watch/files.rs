//! A directory of manifests, followed.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::translate;
use crate::{
    index::{Key, Object},
    manifest::{self, Problem},
    metrics::Metrics,
    state::State,
};

/// One edit is often several events; they are waited for together.
const SETTLE: Duration = Duration::from_millis(10);

/// Should the kernel ever fail to tell of a change, it is found by looking.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Keeps `state` in line with the manifests in `folder`, for ever.
///
/// # Errors
/// The folder cannot be watched.
pub(crate) async fn follow(folder: PathBuf, state: State, metrics: Metrics) -> anyhow::Result<()> {
    let (tell, mut news) = mpsc::channel(1);
    let mut watcher = notify::recommended_watcher(move |_: notify::Result<notify::Event>| {
        // Full means that somebody is about to look anyway.
        let _ = tell.try_send(());
    })
    .context("cannot watch files")?;
    watcher.watch(&folder, RecursiveMode::NonRecursive).with_context(|| format!("cannot watch {}", folder.display()))?;
    let mut reader = Reader::default();
    loop {
        state.replace(reader.read(&folder, &metrics));
        tokio::select! {
            _ = news.recv() => {
                tokio::time::sleep(SETTLE).await;
                while news.try_recv().is_ok() {}
            }
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

/// Reads manifests, and remembers the last good version of each.
#[derive(Default)]
struct Reader {
    good: BTreeMap<(String, Key), Object>,
    reported: Vec<Problem>,
}

impl Reader {
    fn read(&mut self, folder: &Path, metrics: &Metrics) -> Vec<Object> {
        let loaded = manifest::load_directory(folder);
        let mut problems = loaded.problems;
        let mut good = BTreeMap::new();
        let mut spoilt: Vec<PathBuf> = problems.iter().map(|problem| problem.file.clone()).collect();
        for document in &loaded.documents {
            let key = (document.kind.clone(), Key { namespace: document.namespace.clone(), name: document.name.clone() });
            match translate::object(document) {
                Ok(Some(object)) => drop(good.insert(key, object)),
                Ok(None) => {}
                Err(mistakes) => {
                    spoilt.push(document.file.clone());
                    problems.extend(mistakes);
                    good.extend(self.good.remove(&key).map(|object| (key, object)));
                }
            }
        }
        if !spoilt.is_empty() {
            // What a file said before it was spoilt stays in force: which of its objects are gone cannot be told.
            for (key, object) in std::mem::take(&mut self.good) {
                good.entry(key).or_insert(object);
            }
        }
        self.report(problems, metrics);
        self.good = good;
        self.good.values().cloned().collect()
    }

    fn report(&mut self, problems: Vec<Problem>, metrics: &Metrics) {
        for problem in problems.iter().filter(|problem| !self.reported.contains(problem)) {
            tracing::error!(%problem, "the last good version stays in force");
        }
        metrics.problems(problems.len());
        self.reported = problems;
    }
}
