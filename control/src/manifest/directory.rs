//! Which files there are, and the documents in them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::{Document, Problem, document};

/// A manifest larger than this is none.
const FILE_MAX: u64 = 4 << 20;

/// What a directory, or one of its files, holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The documents that have a kind and a name.
    pub documents: Vec<Document>,
    /// Everything else.
    pub problems: Vec<Problem>,
}

/// Reads every `*.yaml`, `*.yml` and `*.json` directly in `folder`, in the order of their names. Hidden files are left out.
pub fn load_directory(folder: &Path) -> Loaded {
    let mut loaded = Loaded::default();
    match files(folder) {
        Ok(files) => {
            for file in files {
                let Loaded { documents, problems } = load_file(&file);
                loaded.documents.extend(documents);
                loaded.problems.extend(problems);
            }
        }
        Err(error) => loaded.problems.push(Problem::of_file(folder, format!("cannot be read: {error}"))),
    }
    refuse_duplicates(&mut loaded);
    loaded
}

/// The manifests of `folder`, by name.
///
/// # Errors
/// The folder cannot be listed.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let ours = path.extension().is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|ours| ending == *ours));
        ours && !hidden && path.is_file()
    });
    files.sort();
    Ok(files)
}

/// Reads one file. One that has vanished since it was listed holds nothing, and that is no problem.
pub(crate) fn load_file(file: &Path) -> Loaded {
    let mut loaded = Loaded::default();
    match read(file) {
        Ok(Some(text)) => split(file, &text, &mut loaded),
        Ok(None) => {}
        Err(why) => loaded.problems.push(Problem::of_file(file, why)),
    }
    loaded
}

/// The problem with a second object of the same name; the first is at `line` of `file`.
pub(crate) fn defined_already(second: (&Path, usize), what: &str, (file, line): (&Path, usize)) -> Problem {
    Problem {
        file: second.0.to_owned(),
        line: second.1,
        column: 0,
        message: format!("{what} is defined already in {}:{line}", file.display()),
        hint: Some(String::from("rename or remove one of them")),
    }
}

fn read(file: &Path) -> Result<Option<String>, String> {
    let opened = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {error}")),
        Ok(opened) => opened,
    };
    let mut bytes = Vec::new();
    opened.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(String::from("is larger than 4 MiB"));
    }
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 text (line {line})")
    })
}

fn split(file: &Path, text: &str, loaded: &mut Loaded) {
    let lines: Vec<&str> = text.lines().collect();
    let mut start = 0;
    let ends = (0..lines.len()).filter(|index| lines[*index].trim_end() == "---" || lines[*index].starts_with("--- "));
    for end in ends.chain([lines.len()]) {
        let body = &lines[start..end];
        if body.iter().any(|line| document::is_content(line)) {
            match Document::read(file, start, body.join("\n")) {
                Ok(document) => loaded.documents.push(document),
                Err(problem) => loaded.problems.push(problem),
            }
        }
        start = end + 1;
    }
}

fn refuse_duplicates(loaded: &mut Loaded) {
    let mut seen: BTreeMap<(String, String, String), (PathBuf, usize)> = BTreeMap::new();
    let problems = &mut loaded.problems;
    loaded.documents.retain(|document| {
        let key = (document.kind.clone(), document.namespace.clone(), document.name.clone());
        let Some((file, line)) = seen.get(&key) else {
            seen.insert(key, (document.file.clone(), document.line));
            return true;
        };
        problems.push(defined_already((&document.file, document.line), &document.to_string(), (file, *line)));
        false
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loaded(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("shop.yaml"), text).unwrap();
        load_directory(folder.path())
    }

    const CART: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: cart\nspec:\n  ports:\n  - port: 80\n";

    #[test]
    fn documents_know_their_lines() {
        let loaded = loaded(&format!("# the shop\n{CART}---\n{}", CART.replace("cart", "stock")));
        assert_eq!(loaded.problems, []);
        let places: Vec<_> = loaded.documents.iter().map(|document| (document.name.as_str(), document.line)).collect();
        assert_eq!(places, [("cart", 2), ("stock", 10)]);
    }

    #[test]
    fn a_duplicate_names_both_places() {
        let loaded = loaded(&format!("{CART}---\n{CART}"));
        assert_eq!(loaded.documents.len(), 1);
        assert!(loaded.problems[0].message.contains("shop.yaml:1"), "{:?}", loaded.problems);
        assert_eq!(loaded.problems[0].line, 9);
    }

    #[test]
    fn an_object_without_a_name_is_reported() {
        let loaded = loaded("apiVersion: v1\nkind: Service\nmetadata: {}\n");
        assert!(loaded.problems[0].message.contains("name"), "{:?}", loaded.problems);
    }

    #[test]
    fn broken_yaml_is_reported_where_it_breaks_and_spoils_no_neighbour() {
        let loaded = loaded(&format!("{CART}---\nkind: [\n---\n{}", CART.replace("cart", "stock")));
        assert_eq!(loaded.documents.len(), 2);
        assert_eq!(loaded.problems.len(), 1);
        assert!((9..=11).contains(&loaded.problems[0].line), "{:?}", loaded.problems);
    }

    #[test]
    fn what_is_no_text_is_reported_and_what_is_gone_is_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), b"a: b\nc: \xff\n").unwrap();
        let loaded = load_directory(folder.path());
        assert!(loaded.problems[0].message.contains("line 2"), "{:?}", loaded.problems);
        assert!(load_file(&folder.path().join("gone.yaml")).problems.is_empty());
    }
}
