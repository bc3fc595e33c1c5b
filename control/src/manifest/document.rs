//! One YAML document, with its place in its file.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};

use super::{Problem, mistakes, place};

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
    text: String,
    /// Lines of the file before the text.
    before: usize,
}

impl Document {
    /// Takes in `text`, which begins after `before` lines of `file`.
    ///
    /// # Errors
    /// It is no YAML, or no object.
    pub(super) fn read(file: &Path, before: usize, text: String) -> Result<Self, Problem> {
        let first = before + text.lines().position(is_content).unwrap_or(0) + 1;
        let head: Head = serde_saphyr::from_str(&text).map_err(|error| {
            let mistake = mistakes::Mistake::of(&error, &text);
            let needed = || String::from("every object needs apiVersion, kind and metadata.name");
            Problem {
                file: file.to_owned(),
                line: mistake.line.map_or(first, |line| line + before),
                column: mistake.column,
                hint: mistake.hint.or_else(|| mistake.of_form.then(needed)),
                message: mistake.message,
            }
        })?;
        let Head { api_version, kind, metadata } = head;
        let namespace = metadata.namespace.unwrap_or_else(|| String::from("default"));
        Ok(Self { file: file.to_owned(), line: first, api_version, kind, namespace, name: metadata.name, text, before })
    }

    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// Everything that is wrong with its form, as far as it can be told at once.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<Problem>> {
        mistakes::parse(&self.text).map_err(|mistakes| {
            let problem = |mistake: mistakes::Mistake| Problem {
                file: self.file.clone(),
                line: mistake.line.map_or(self.line, |line| line + self.before),
                column: mistake.column,
                message: mistake.message,
                hint: mistake.hint,
            };
            mistakes.into_iter().map(problem).collect()
        })
    }

    /// A problem with the field at `path` (as in `spec.ports[0].port`; `[]` stands for any), found after parsing. When the
    /// field is not there, the place is that of what should hold it.
    pub fn wrong(&self, path: &str, message: impl Into<String>, hint: Option<&str>) -> Problem {
        let (line, column) = place::of(&self.text, path).map_or((self.line, 0), |(line, column)| (line + self.before, column));
        let message = format!("{path}: {}", message.into());
        Problem { file: self.file.clone(), line, column, message, hint: hint.map(str::to_owned) }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Whether a line is more than space and comment.
pub(super) fn is_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::kinds::Service;

    const CART: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: cart\nspec:\n  ports:\n  - port: 80\n  - port: 81\n";

    fn document(text: &str) -> Document {
        Document::read(Path::new("shop.yaml"), 10, text.to_owned()).unwrap()
    }

    #[test]
    fn mistakes_are_where_they_are_in_the_file() {
        let problems = document(&CART.replace("port: 80", "prt: 80")).parse::<Service>().unwrap_err();
        assert_eq!((problems[0].line, problems[0].column), (17, 5), "{problems:?}");
        assert_eq!(problems[0].to_string(), "shop.yaml:17:5: unknown field `prt` (did you mean `port`?)");
    }

    #[test]
    fn a_field_that_is_wrong_is_found_in_its_own_item() {
        let problem = document(CART).wrong("spec.ports[1].port", "is taken", None);
        assert_eq!((problem.line, problem.column), (18, 5));
        let missing = document(CART).wrong("spec.selector.app", "is missing", None);
        assert_eq!((missing.line, missing.column), (15, 1), "what should hold it");
    }
}
