//! What a route changes, changed.

use http::{
    HeaderMap, HeaderValue, Request, Uri,
    header::{HOST, SET_COOKIE},
    uri::{InvalidUri, PathAndQuery},
};

use super::{cors::Granted, path};
use crate::{
    refusal::{Reason, Refusal},
    snapshot::{Changes, HeaderChanges, PathRewrite, Put, Rewrite},
};

/// What is changed of one request and of its answer.
#[derive(Clone, Debug, Default)]
pub struct Edits<'a> {
    /// By the backend, and then by its route, as Envoy does it.
    pub(super) changes: [Option<&'a Changes>; 2],
    pub(super) rewrite: Option<&'a Rewrite>,
    /// A cookie that was made up for it.
    pub(super) cookie: Option<Box<HeaderValue>>,
    /// What a browser is told beside the answer.
    pub(super) cors: Option<Box<Granted>>,
}

impl Edits<'_> {
    /// Changes the request.
    ///
    /// # Errors
    /// [`Reason::TooLarge`] when its path becomes longer than a path may be.
    pub fn request<B>(&self, request: &mut Request<B>) -> Result<(), Refusal> {
        for changes in self.changes.iter().flatten() {
            put(&changes.request, request.headers_mut());
        }
        // What names no path, as CONNECT does, has no target that a route could be for.
        if let Some(rewrite) = self.rewrite.filter(|_| request.uri().path().starts_with('/')) {
            retarget(request, rewrite)?;
        }
        Ok(())
    }

    /// What a browser is told beside an answer that is nobody's but ours, in which nothing else is changed.
    pub fn granted(&self) -> Option<Box<Granted>> {
        self.cors.clone()
    }

    /// Changes the answer's headers.
    pub fn response(&self, headers: &mut HeaderMap) {
        for changes in self.changes.iter().flatten() {
            put(&changes.response, headers);
        }
        if let Some(cookie) = self.cookie.as_deref() {
            headers.append(SET_COOKIE, cookie.clone());
        }
        if let Some(granted) = &self.cors {
            granted.answer(headers);
        }
    }
}

fn put(changes: &HeaderChanges, headers: &mut HeaderMap) {
    for name in &changes.remove {
        headers.remove(name);
    }
    for (put, name, value) in &changes.put {
        let value = value.clone();
        // By name each time: an entry's `insert_mult` panics where a header has three values (http 1.5.0).
        match (put, headers.contains_key(name)) {
            (Put::Beside, _) => drop(headers.append(name, value)),
            (Put::Instead, _) | (Put::IfAbsent, false) | (Put::IfPresent, true) => drop(headers.insert(name, value)),
            (Put::IfAbsent, true) | (Put::IfPresent, false) => {}
        }
    }
}

fn retarget<B>(request: &mut Request<B>, rewrite: &Rewrite) -> Result<(), Refusal> {
    let mut parts = request.uri().clone().into_parts();
    if let Some(path) = &rewrite.path {
        let target = target(path, request.uri()).map_err(|error| {
            let detail = format!("the path that a route makes of {} is none: {error}", request.uri().path());
            Refusal::new(Reason::TooLarge, detail)
        })?;
        parts.path_and_query = Some(target);
    }
    if let Some(host) = &rewrite.host {
        if let Ok(value) = HeaderValue::from_str(host.as_str())
            && (parts.authority.is_none() || request.headers().contains_key(HOST))
        {
            request.headers_mut().insert(HOST, value);
        }
        parts.authority = parts.authority.map(|_| host.clone());
    }
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    Ok(())
}

fn target(rewrite: &PathRewrite, uri: &Uri) -> Result<PathAndQuery, InvalidUri> {
    path::rewritten(rewrite, uri.path(), uri.query()).try_into()
}

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;

    fn changed(changes: &HeaderChanges) -> Vec<(String, String)> {
        let mut headers = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("x-a", "2"), ("x-a", "3"), ("x-b", "1")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        put(changes, &mut headers);
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        all.sort();
        all
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn headers_are_removed_and_then_put() {
        let value = HeaderValue::from_static("new");
        for (put, name, expected) in [
            (Put::Beside, "x-a", &[("x-a", "1"), ("x-a", "2"), ("x-a", "3"), ("x-a", "new")][..]),
            (Put::Beside, "x-b", &[("x-a", "1"), ("x-a", "2"), ("x-a", "3"), ("x-b", "new")]),
            (Put::Instead, "x-a", &[("x-a", "new")]),
            (Put::Instead, "x-c", &[("x-a", "1"), ("x-a", "2"), ("x-a", "3"), ("x-c", "new")]),
            (Put::IfAbsent, "x-a", &[("x-a", "1"), ("x-a", "2"), ("x-a", "3")]),
            (Put::IfAbsent, "x-b", &[("x-a", "1"), ("x-a", "2"), ("x-a", "3"), ("x-b", "new")]),
            (Put::IfPresent, "x-a", &[("x-a", "new")]),
            (Put::IfPresent, "x-b", &[("x-a", "1"), ("x-a", "2"), ("x-a", "3")]),
        ] {
            let changes =
                HeaderChanges { remove: vec!["x-b".parse().unwrap()], put: vec![(put, name.parse().unwrap(), value.clone())] };
            assert_eq!(changed(&changes), pairs(expected), "{put:?} {name}");
        }
    }

    #[test]
    fn a_host_is_rewritten_wherever_it_is_written() {
        let rewrite = Rewrite { host: Some("v2.shop:81".parse().unwrap()), path: None };
        let edits = Edits { rewrite: Some(&rewrite), ..Edits::default() };
        let rewritten = |target: &str, host: Option<&str>| {
            let request = Request::get(target).version(Version::HTTP_11);
            let request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
            let mut request = request.body(()).unwrap();
            edits.request(&mut request).unwrap();
            (request.uri().to_string(), request.headers().get(HOST).map(|host| host.to_str().unwrap().to_owned()))
        };
        let host = || Some("v2.shop:81".to_owned());
        assert_eq!(rewritten("/a?b", Some("cart")), ("/a?b".into(), host()));
        assert_eq!(rewritten("/a?b", None), ("/a?b".into(), host()));
        assert_eq!(rewritten("http://cart/a?b", None), ("http://v2.shop:81/a?b".into(), None));
        assert_eq!(rewritten("http://cart/a?b", Some("cart")), ("http://v2.shop:81/a?b".into(), host()));
    }

    #[test]
    fn a_path_is_rewritten_and_the_rest_of_the_target_stays() {
        let path = PathRewrite::Prefix { of: "/a".into(), with: "/x".into() };
        let rewrite = Rewrite { host: None, path: Some(path) };
        let edits = Edits { rewrite: Some(&rewrite), ..Edits::default() };
        let mut request = Request::get("http://cart/a/b?c=d").body(()).unwrap();
        edits.request(&mut request).unwrap();
        assert_eq!(request.uri(), "http://cart/x/b?c=d");
        let mut connect = Request::connect("db:80").body(()).unwrap();
        edits.request(&mut connect).unwrap();
        assert_eq!(connect.uri(), "db:80");
    }

    #[test]
    fn a_path_that_becomes_too_long_is_refused() {
        let path = PathRewrite::Prefix { of: "/".into(), with: format!("/{}", "x".repeat(70_000)).into() };
        let rewrite = Rewrite { host: None, path: Some(path) };
        let edits = Edits { rewrite: Some(&rewrite), ..Edits::default() };
        let refusal = edits.request(&mut Request::get("/a").body(()).unwrap()).unwrap_err();
        assert_eq!(refusal.reason, Reason::TooLarge);
    }
}
