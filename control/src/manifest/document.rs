//! Documents of a directory, each with its place in its file.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::problem::{Problem, meant};

/// A manifest larger than this is none.
const FILE_MAX: u64 = 4 << 20;

/// Mistakes looked for in one document.
const MISTAKES_MAX: usize = 20;

/// One YAML document: one object.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file it is in.
    pub file: PathBuf,
    /// The line of its first key, counted from 1.
    pub line: usize,
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.namespace`, or `default`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The document, preceded by as many empty lines as stand before it in its file: positions in it are right.
    text: String,
}

/// What a directory holds.
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
    let files = match files(folder) {
        Ok(files) => files,
        Err(error) => {
            loaded.problems.push(about_file(folder, format!("cannot be read: {error}")));
            return loaded;
        }
    };
    for file in files {
        match read(&file) {
            Ok(text) => split(&file, &text, &mut loaded),
            Err(problem) => loaded.problems.push(problem),
        }
    }
    refuse_duplicates(&mut loaded);
    loaded
}

impl Document {
    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// Everything that is wrong with its form, as far as it can be told at once.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<Problem>> {
        let first = match serde_saphyr::from_str(&self.text) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let mut problems = vec![self.problem(&first)];
        // One mistake hides the next. Look again without the lines of those already found.
        let mut text = self.text.clone();
        while problems.len() < MISTAKES_MAX {
            let Some(line) = problems.last().map(|problem| problem.line).filter(|line| *line > 0) else { break };
            text = without(&text, line);
            match serde_saphyr::from_str::<T>(&text) {
                // What is missing now may be missing because we took it away.
                Err(error) if !is_missing(&error) => {
                    let problem = self.problem(&error);
                    if problems.contains(&problem) {
                        break;
                    }
                    problems.push(problem);
                }
                _ => break,
            }
        }
        Err(problems)
    }

    /// A problem with the field at `path` (as in `spec.ports[0].port`), found after parsing.
    pub fn wrong(&self, path: &str, message: impl Into<String>, hint: Option<&str>) -> Problem {
        let key = path.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or(path);
        let key = key.split('[').next().unwrap_or(key);
        let line = line_of(&self.text, key).unwrap_or(self.line);
        let message = format!("{path}: {}", message.into());
        Problem { file: self.file.clone(), line, column: 0, message, hint: hint.map(str::to_owned) }
    }

    fn problem(&self, error: &serde_saphyr::Error) -> Problem {
        let (line, column) = place(error);
        let (message, hint) = hinted(plain(error));
        Problem { file: self.file.clone(), line: if line == 0 { self.line } else { line }, column, message, hint }
    }
}

/// What every object has.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
    metadata: HeadMetadata,
}

#[derive(Deserialize)]
struct HeadMetadata {
    name: String,
    namespace: Option<String>,
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
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

fn read(file: &Path) -> Result<String, Problem> {
    let cannot = |error: std::io::Error| about_file(file, format!("cannot be read: {error}"));
    if fs::metadata(file).map_err(cannot)?.len() > FILE_MAX {
        return Err(about_file(file, String::from("is larger than 4 MiB")));
    }
    fs::read_to_string(file).map_err(cannot)
}

fn split(file: &Path, text: &str, loaded: &mut Loaded) {
    let mut start = 0;
    let lines: Vec<&str> = text.lines().collect();
    let ends = (0..lines.len()).filter(|index| lines[*index].trim_end() == "---" || lines[*index].starts_with("--- "));
    for end in ends.chain([lines.len()]) {
        let body = &lines[start..end];
        if body.iter().any(|line| is_content(line)) {
            let padded = format!("{}{}\n", "\n".repeat(start), body.join("\n"));
            match document(file, padded) {
                Ok(document) => loaded.documents.push(document),
                Err(problem) => loaded.problems.push(problem),
            }
        }
        start = end + 1;
    }
}

fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

fn document(file: &Path, text: String) -> Result<Document, Problem> {
    let line = text.lines().position(is_content).map_or(1, |index| index + 1);
    let head: Head = serde_saphyr::from_str(&text).map_err(|error| {
        let (at, column) = place(&error);
        let message = plain(&error);
        let hint = Some(String::from("every object needs apiVersion, kind and metadata.name"));
        Problem { file: file.to_owned(), line: if at == 0 { line } else { at }, column, message, hint }
    })?;
    let Head { api_version, kind, metadata } = head;
    let namespace = metadata.namespace.unwrap_or_else(|| String::from("default"));
    Ok(Document { file: file.to_owned(), line, api_version, kind, namespace, name: metadata.name, text })
}

fn refuse_duplicates(loaded: &mut Loaded) {
    let mut seen: BTreeMap<(String, String, String), (PathBuf, usize)> = BTreeMap::new();
    let problems = &mut loaded.problems;
    loaded.documents.retain(|document| {
        let key = (document.kind.clone(), document.namespace.clone(), document.name.clone());
        let here = (document.file.clone(), document.line);
        let Some((file, line)) = seen.get(&key) else {
            seen.insert(key, here);
            return true;
        };
        let (kind, namespace, name) = key;
        let message = format!("{kind} {namespace}/{name} is defined already in {}:{line}", file.display());
        let hint = Some(String::from("rename or remove one of them"));
        problems.push(Problem { file: here.0, line: here.1, column: 0, message, hint });
        false
    });
}

fn about_file(file: &Path, message: String) -> Problem {
    Problem { file: file.to_owned(), line: 0, column: 0, message, hint: None }
}

fn place(error: &serde_saphyr::Error) -> (usize, usize) {
    let number = |value: u64| usize::try_from(value).unwrap_or(0);
    error.location().map_or((0, 0), |location| (number(location.line()), number(location.column())))
}

/// The message alone: where it is we say ourselves.
fn plain(error: &serde_saphyr::Error) -> String {
    let rendered = error.without_snippet().to_string();
    let first = rendered.lines().find(|line| !line.trim().is_empty()).unwrap_or("malformed");
    let first = first.trim().strip_prefix("error:").unwrap_or(first).trim();
    // The location stands at one of the ends.
    let first = first.strip_prefix("line ").and_then(|rest| rest.split_once(": ")).map_or(first, |(_, message)| message);
    first.split(" at line ").next().unwrap_or(first).to_owned()
}

fn is_missing(error: &serde_saphyr::Error) -> bool {
    plain(error).contains("missing field")
}

/// "unknown field `x`, expected one of a, b": the message proper, and what was probably meant.
fn hinted(message: String) -> (String, Option<String>) {
    let Some((unknown, expected)) = message.split_once(", expected ") else { return (message, None) };
    let Some(word) = unknown.strip_prefix("unknown field ") else { return (message, None) };
    let known = || expected.trim_start_matches("one of ").split(", ").map(|word| word.trim_matches('`'));
    let hint = match meant(word.trim_matches('`'), known()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("known fields: {}", known().collect::<Vec<_>>().join(", ")),
    };
    (unknown.to_owned(), Some(hint))
}

/// The text without line `number` and what is indented below it. Line numbers stay the same.
fn without(text: &str, number: usize) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut out = String::with_capacity(text.len());
    let mut cut = None;
    for (index, line) in text.lines().enumerate() {
        if index + 1 == number {
            cut = Some(indent(line));
            // An item of a list stays an item, without its first key.
            if let Some(dash) = line.trim_start().strip_prefix("- ").filter(|rest| rest.contains(':')) {
                let _ = dash;
                out.push_str(&line[..indent(line) + 1]);
            }
        } else if cut.is_some_and(|cut| line.trim().is_empty() || indent(line) > cut) {
            // Below it.
        } else {
            cut = None;
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// The first line on which `key` is a key.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches("- ").trim_start().trim_start_matches(['"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    };
    text.lines().position(is_key).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::kinds::Service;

    fn loaded(text: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("shop.yaml"), text).unwrap();
        load_directory(folder.path())
    }

    const CART: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: cart\nspec:\n  ports:\n  - port: 80\n";

    #[test]
    fn documents_know_their_lines() {
        let text = format!("# the shop\n{CART}---\n{}", CART.replace("cart", "stock"));
        let loaded = loaded(&text);
        assert_eq!(loaded.problems, []);
        let places: Vec<_> = loaded.documents.iter().map(|document| (document.name.as_str(), document.line)).collect();
        assert_eq!(places, [("cart", 2), ("stock", 10)]);
    }

    #[test]
    fn every_mistake_of_a_later_document_is_reported_with_its_line_in_the_file() {
        let text =
            format!("{CART}---\n{}", CART.replace("  ports", "  portz: []\n  selektor: {}\n  ports").replace("cart", "stock"));
        let loaded = loaded(&text);
        let problems = loaded.documents[1].parse::<Service>().unwrap_err();
        let lines: Vec<_> = problems.iter().map(|problem| problem.line).collect();
        assert_eq!(lines, [14, 15], "{problems:?}");
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `ports`?"), "{problems:?}");
        assert_eq!(problems[1].hint.as_deref(), Some("did you mean `selector`?"), "{problems:?}");
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
    fn broken_yaml_is_reported_where_it_breaks() {
        let loaded = loaded(&format!("{CART}---\nkind: [\n"));
        assert_eq!(loaded.documents.len(), 1);
        assert!(loaded.problems[0].line >= 9, "{:?}", loaded.problems);
    }
}
