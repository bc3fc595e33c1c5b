//! A directory of manifests, as it was last read.
//!
//! Each file is read again only when it was written since. One that cannot be read as it is keeps what it last said; what
//! other files say is not held up by it.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::translate;
use crate::{
    index::{Change, Identity, Object},
    manifest::{self, Loaded, Problem},
};

/// Two writes within this time may leave a file with the same times: it is read again the next time somebody looks.
const RACY: Duration = Duration::from_millis(100);

/// The manifests of one directory.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: BTreeMap<PathBuf, File>,
    /// What is in force.
    objects: BTreeMap<Identity, Arc<Object>>,
}

/// What a look at the directory brought.
#[derive(Debug)]
pub(super) struct News {
    /// What to do to the index.
    pub(super) changes: Vec<Change>,
    /// Everything that is wrong now.
    pub(super) problems: Vec<Problem>,
    /// Whether the directory could be listed.
    pub(super) listed: bool,
}

#[derive(Debug)]
struct File {
    stamp: Option<Stamp>,
    objects: BTreeMap<Identity, Placed>,
    problems: Vec<Problem>,
}

#[derive(Clone, Debug)]
struct Placed {
    line: usize,
    object: Arc<Object>,
}

/// What tells a file from what it was before.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Folder {
    /// A directory that has not been looked at.
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), files: BTreeMap::new(), objects: BTreeMap::new() }
    }

    /// Looks at the directory at the time `now`.
    pub(super) fn look(&mut self, now: SystemTime) -> News {
        let paths = match manifest::files(&self.path) {
            Ok(paths) => paths,
            Err(error) => {
                let problem = Problem::of_file(&self.path, format!("cannot be read: {error}"));
                return News { changes: Vec::new(), problems: vec![problem], listed: false };
            }
        };
        let mut files = BTreeMap::new();
        for path in paths {
            // Before it is read: what is written meanwhile is then found the next time.
            let stamp = Stamp::of(&path).ok();
            let file = match self.files.remove(&path) {
                Some(file) if stamp.is_some() && stamp == file.stamp => file,
                before => File::read(&path, stamp.filter(|stamp| !stamp.is_racy(now)), before),
            };
            files.insert(path, file);
        }
        self.files = files;
        let (objects, duplicates) = self.united();
        let problems = self.files.values().flat_map(|file| &file.problems).cloned().chain(duplicates).collect();
        News { changes: self.put_in_force(objects), problems, listed: true }
    }

    /// The objects of all files. Of two with the same name the first counts.
    fn united(&self) -> (BTreeMap<Identity, Arc<Object>>, Vec<Problem>) {
        let mut first: BTreeMap<&Identity, (&Path, &Placed)> = BTreeMap::new();
        let mut problems = Vec::new();
        for (path, file) in &self.files {
            for (identity, placed) in &file.objects {
                match first.get(identity) {
                    Some((other, known)) => {
                        let what = format!("{:?} {}", identity.0, identity.1);
                        problems.push(manifest::defined_already((path, placed.line), &what, (other, known.line)));
                    }
                    None => drop(first.insert(identity, (path, placed))),
                }
            }
        }
        let objects = first.into_iter().map(|(identity, (_, placed))| (identity.clone(), placed.object.clone()));
        (objects.collect(), problems)
    }

    fn put_in_force(&mut self, objects: BTreeMap<Identity, Arc<Object>>) -> Vec<Change> {
        let before = std::mem::replace(&mut self.objects, objects);
        let same = |identity: &Identity, object: &Arc<Object>| {
            before.get(identity).is_some_and(|before| Arc::ptr_eq(before, object) || before == object)
        };
        let applied = self.objects.iter().filter(|(identity, object)| !same(identity, object));
        let mut changes: Vec<Change> = applied.map(|(_, object)| Change::Apply(Object::clone(object))).collect();
        let deleted = before.keys().filter(|identity| !self.objects.contains_key(*identity));
        changes.extend(deleted.cloned().map(Change::Delete));
        changes
    }
}

impl File {
    /// Reads a file that was `before`. Where it is wrong, what it last said stays in force.
    fn read(path: &Path, stamp: Option<Stamp>, before: Option<File>) -> Self {
        let Loaded { documents, mut problems } = manifest::load_file(path);
        let mut objects: BTreeMap<Identity, Placed> = BTreeMap::new();
        for document in &documents {
            match translate::object(document) {
                Ok(Some(object)) => {
                    let placed = Placed { line: document.line, object: Arc::new(object) };
                    let identity = placed.object.identity();
                    match objects.get(&identity) {
                        Some(first) => {
                            let (here, there) = ((path, document.line), (path, first.line));
                            problems.push(manifest::defined_already(here, &document.to_string(), there));
                        }
                        None => drop(objects.insert(identity, placed)),
                    }
                }
                Ok(None) => {}
                Err(mistakes) => problems.extend(mistakes),
            }
        }
        if let Some(before) = before.filter(|_| !problems.is_empty()) {
            // Which of its objects are gone, and which are the spoilt ones, cannot always be told.
            for (identity, placed) in before.objects {
                objects.entry(identity).or_insert(placed);
            }
        }
        Self { stamp, objects, problems }
    }
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    /// Whether it is so young that another write may leave the same stamp.
    fn is_racy(&self, now: SystemTime) -> bool {
        let Ok(now) = now.duration_since(SystemTime::UNIX_EPOCH) else { return true };
        let (seconds, nanos) = self.changed.max(self.modified);
        let (Ok(seconds), Ok(nanos)) = (u64::try_from(seconds), u32::try_from(nanos)) else { return true };
        now.saturating_sub(RACY) < Duration::new(seconds, nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock, index::Kind};

    struct Place(tempfile::TempDir, Folder);

    impl Place {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let folder = Folder::new(place.path());
            Self(place, folder)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).unwrap();
        }

        fn look(&mut self) -> (Vec<String>, usize) {
            let News { changes, problems, .. } = self.1.look(clock::wall());
            let told = |change: &Change| match change {
                Change::Apply(object) => format!("+{}", object.identity().1.name),
                Change::Delete((_, key)) => format!("-{}", key.name),
            };
            (changes.iter().map(told).collect(), problems.len())
        }
    }

    fn service(name: &str) -> String {
        format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}]}}\n")
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn only_what_changed_is_told() {
        let mut place = Place::new();
        place.write("a.yaml", &service("a"));
        place.write("b.yaml", &service("b"));
        assert_eq!(place.look(), (names(&["+a", "+b"]), 0));
        assert_eq!(place.look(), (names(&[]), 0));
        place.write("b.yaml", &service("b").replace("80", "81"));
        place.write("c.yaml", &service("c"));
        fs::remove_file(place.0.path().join("a.yaml")).unwrap();
        assert_eq!(place.look(), (names(&["+b", "+c", "-a"]), 0));
    }

    #[test]
    fn a_spoilt_file_keeps_what_it_said_and_holds_up_nobody_else() {
        let mut place = Place::new();
        place.write("a.yaml", &format!("{}---\n{}", service("a"), service("aa")));
        place.write("b.yaml", &service("b"));
        place.look();
        place.write("a.yaml", &format!("{}---\n{}", service("a").replace("ports", "portz"), service("aa").replace("80", "81")));
        fs::remove_file(place.0.path().join("b.yaml")).unwrap();
        assert_eq!(place.look(), (names(&["+aa", "-b"]), 1), "the good half of it counts, and so does the other file's end");
        place.write("a.yaml", &service("aa").replace("80", "81"));
        assert_eq!(place.look(), (names(&["-a"]), 0));
    }

    #[test]
    fn of_two_with_one_name_the_first_counts_and_the_other_takes_its_place() {
        let mut place = Place::new();
        place.write("a.yaml", &service("x"));
        place.write("b.yaml", &service("x").replace("80", "81"));
        assert_eq!(place.look(), (names(&["+x"]), 1));
        fs::remove_file(place.0.path().join("a.yaml")).unwrap();
        assert_eq!(place.look(), (names(&["+x"]), 0));
    }

    #[test]
    fn a_directory_that_is_gone_takes_nothing_with_it() {
        let mut place = Place::new();
        place.write("a.yaml", &service("a"));
        place.look();
        fs::remove_dir_all(place.0.path()).unwrap();
        let news = place.1.look(clock::wall());
        assert!(!news.listed && news.changes.is_empty() && news.problems.len() == 1);
        fs::create_dir(place.0.path()).unwrap();
        assert!(matches!(&place.1.look(clock::wall()).changes[..], [Change::Delete((Kind::Service, _))]));
    }

    #[test]
    fn every_mistake_in_a_traffic_policy_is_told_with_its_line() {
        let mut place = Place::new();
        let policy = "apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p}\nspec:\n  targetRefs:\n  - {kind: Service, name: a}\n  timeouts:\n    request: 1s\n  faults:\n    abort: {status: 503}\n";
        place.write("p.yaml", policy);
        assert_eq!(place.look(), (names(&["+p"]), 0));
        place.write("p.yaml", &policy.replace("1s", "soon").replace("503", "700"));
        let news = place.1.look(clock::wall());
        assert_eq!(news.problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [8, 10], "{:?}", news.problems);
        assert!(news.changes.is_empty(), "it stays as it was");
        place.write("p.yaml", &policy.replace("timeouts", "timeout"));
        assert!(place.1.look(clock::wall()).problems[0].to_string().contains("did you mean `timeouts`?"));
    }

    #[test]
    fn the_policy_of_the_gateway_api_is_one_more() {
        let mut place = Place::new();
        let policy = "apiVersion: gateway.networking.x-k8s.io/v1alpha1\nkind: XBackendTrafficPolicy\nmetadata: {name: p}\nspec:\n  targetRefs: [{group: '', kind: Service, name: a}]\n  retryConstraint: {budget: {percent: 5}}\n";
        place.write("p.yaml", policy);
        let ours = "apiVersion: weft.dev/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: p}\nspec: {targetRefs: [{kind: Service, name: a}]}\n";
        place.write("q.yaml", ours);
        assert_eq!(place.look(), (names(&["+p", "+p"]), 0), "two kinds, and no name twice");
    }

    #[test]
    fn a_mistake_in_a_route_is_told_with_its_line_and_the_route_stays_as_it_was() {
        let mut place = Place::new();
        let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\nspec:\n  rules:\n  - matches:\n    - path:\n        value: /a\n";
        let grant = "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: g}\nspec: {from: [], to: []}\n";
        place.write("a.yaml", &format!("{route}---\n{grant}"));
        assert_eq!(place.look(), (names(&["+r", "+g"]), 0));
        place.write("a.yaml", &format!("{}---\n{grant}", route.replace("/a", "a")));
        let news = place.1.look(clock::wall());
        assert_eq!((news.changes.len(), news.problems.len(), news.problems[0].line), (0, 1, 7));
    }
}
