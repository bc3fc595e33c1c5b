//! What people are told, in their words.

use std::path::{Path, PathBuf};

use control::manifest::Problem;

use super::Console;

/// Shows problems, with paths as the person would write them.
pub(crate) fn tell(console: &Console, problems: &[Problem]) {
    for problem in problems {
        console.say(Problem { file: relative(&problem.file), ..problem.clone() });
    }
}

/// A path below the current directory as seen from there.
pub(crate) fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(here) {
        Ok(relative) if relative.as_os_str().is_empty() => PathBuf::from("."),
        Ok(relative) => relative.to_owned(),
        Err(_) => path.to_owned(),
    }
}

/// A number and its noun.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_plural() {
        assert_eq!(count(1, "service"), "1 service");
        assert_eq!(count(0, "service"), "0 services");
    }

    #[test]
    fn paths_are_shown_as_seen_from_here() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(relative(&here.join("shop/a.yaml")), PathBuf::from("shop/a.yaml"));
        assert_eq!(relative(&here), PathBuf::from("."));
        assert_eq!(relative(Path::new("/nowhere")), PathBuf::from("/nowhere"));
    }
}
