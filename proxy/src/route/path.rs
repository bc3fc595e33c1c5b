//! A path, written anew.

use crate::snapshot::PathRewrite;

/// What `rewrite` makes of `path`, with its query.
pub(super) fn rewritten(rewrite: &PathRewrite, path: &str, query: Option<&str>) -> String {
    let mut target = match rewrite {
        PathRewrite::Whole(whole) => whole.to_string(),
        PathRewrite::Prefix { of, with } => {
            let rest = path.strip_prefix(&**of).unwrap_or(path);
            // One slash between the two is enough.
            let with = if rest.starts_with('/') { with.trim_end_matches('/') } else { with };
            format!("{with}{rest}")
        }
        PathRewrite::Regex { pattern, with } => {
            String::from_utf8_lossy(&pattern.replace_all(path.as_bytes(), &**with)).into_owned()
        }
    };
    if !target.starts_with('/') {
        target.insert(0, '/');
    }
    if let Some(query) = query.filter(|_| !target.contains('?')) {
        target.push('?');
        target.push_str(query);
    }
    target
}

#[cfg(test)]
mod tests {
    use regex::bytes::Regex;

    use super::*;

    #[test]
    fn a_prefix_is_replaced_by_elements() {
        for (path, of, with, expected) in [
            ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
            ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
            ("/foo", "/foo", "/xyz", "/xyz"),
            ("/foo/", "/foo", "/xyz", "/xyz/"),
            ("/foo/bar", "/foo", "", "/bar"),
            ("/foo/", "/foo", "", "/"),
            ("/foo", "/foo", "", "/"),
            ("/foo/", "/foo", "/", "/"),
            ("/foo", "/foo", "/", "/"),
            ("/foo/bar", "/foo", "/", "/bar"),
            ("/bar", "", "/xyz", "/xyz/bar"),
            ("/", "", "/xyz", "/xyz/"),
        ] {
            let rewrite = PathRewrite::Prefix { of: of.into(), with: with.into() };
            assert_eq!(rewritten(&rewrite, path, None), expected, "{path}: {of} by {with}");
            assert_eq!(rewritten(&rewrite, path, Some("a=b")), format!("{expected}?a=b"));
        }
    }

    #[test]
    fn what_an_expression_matches_is_replaced() {
        for (pattern, with, path, expected) in [
            (".*", "/new", "/old/path", "/new?q"),
            ("^/.*$", "/new?own", "/old", "/new?own"),
            ("^/items/([0-9]+)$", "/v2/${1}", "/items/47", "/v2/47?q"),
            ("b", "c", "/abba", "/acca?q"),
            (".*", "", "/old", "/?q"),
        ] {
            let rewrite = PathRewrite::Regex { pattern: Regex::new(pattern).unwrap(), with: with.as_bytes().into() };
            assert_eq!(rewritten(&rewrite, path, Some("q")), expected, "{pattern} in {path}");
        }
    }
}
