//! What pages of other origins are told: whether they may ask, before they do, and that they might see the answer.
//!
//! Who is not told asks in vain: it is his browser that keeps the answer from him. Source: GEP-1767, and section 3.3 of the Fetch
//! standard.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderValue, Method,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
        ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, HeaderName, ORIGIN, VARY,
    },
};

use super::{Asked, matcher::text_matches};
use crate::snapshot::{Cors, Listed, Origins};

const ANY: HeaderValue = HeaderValue::from_static("*");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// An origin whose pages may ask.
#[derive(Clone, Debug)]
pub struct Granted {
    cors: Arc<Cors>,
    origin: HeaderValue,
}

/// The header fields of the answer to what a browser asks before it asks for anything; `None` when this is not that. An origin that
/// may not ask gets an answer too, which says nothing.
pub(super) fn preflight(cors: &Arc<Cors>, asked: Asked<'_>) -> Option<HeaderMap> {
    let method = asked.headers.get(ACCESS_CONTROL_REQUEST_METHOD).filter(|_| *asked.method == Method::OPTIONS)?;
    if !asked.headers.contains_key(ORIGIN) {
        return None;
    }
    let mut headers = HeaderMap::new();
    if let Some(granted) = grant(cors, asked.headers) {
        granted.introduce(&mut headers);
        list(&mut headers, ACCESS_CONTROL_ALLOW_METHODS, cors, &cors.methods, |_| Some(method.clone()));
        let wanted = |_: &HeaderMap| asked.headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        list(&mut headers, ACCESS_CONTROL_ALLOW_HEADERS, cors, &cors.headers, wanted);
        headers.insert(ACCESS_CONTROL_MAX_AGE, cors.max_age.clone());
    }
    Some(headers)
}

/// The origin of a request, if it has one and its pages may ask.
pub(super) fn grant(cors: &Arc<Cors>, headers: &HeaderMap) -> Option<Granted> {
    let origin = headers.get(ORIGIN)?;
    let may = match &cors.origins {
        Origins::Any => true,
        Origins::These(these) => these.iter().any(|this| text_matches(this, origin.as_bytes())),
    };
    may.then(|| Granted { cors: cors.clone(), origin: origin.clone() })
}

impl Granted {
    /// Tells it in an answer, whoever gives it.
    pub fn answer(&self, headers: &mut HeaderMap) {
        let names = |headers: &HeaderMap| {
            let names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
            HeaderValue::from_str(&names.join(", ")).ok()
        };
        // Before there are fields of ours among them.
        list(headers, ACCESS_CONTROL_EXPOSE_HEADERS, &self.cors, &self.cors.exposed, names);
        self.introduce(headers);
    }

    fn introduce(&self, headers: &mut HeaderMap) {
        let everybody = matches!(self.cors.origins, Origins::Any) && !self.cors.credentials;
        if !everybody {
            // Whoever keeps the answer must not give it to another origin.
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, if everybody { ANY } else { self.origin.clone() });
        if self.cors.credentials {
            headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
    }
}

/// With credentials an asterisk means nothing to browsers: what it stands for is `all`.
fn list(
    headers: &mut HeaderMap,
    name: HeaderName,
    cors: &Cors,
    listed: &Listed,
    all: impl FnOnce(&HeaderMap) -> Option<HeaderValue>,
) {
    let value = match listed {
        Listed::Nothing => None,
        Listed::Any if cors.credentials => all(headers),
        Listed::Any => Some(ANY),
        Listed::These(these) => Some(these.clone()),
    };
    if let Some(value) = value {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;
    use crate::snapshot::TextMatch;

    const SHOP: &str = "https://shop.example";

    fn cors(origins: Origins, credentials: bool, listed: fn() -> Listed) -> Arc<Cors> {
        let max_age = HeaderValue::from_static("5");
        Arc::new(Cors { origins, credentials, methods: listed(), headers: listed(), exposed: listed(), max_age })
    }

    fn shop() -> Origins {
        Origins::These(vec![TextMatch::Exact(SHOP.into())])
    }

    fn told(headers: &HeaderMap) -> Vec<(String, String)> {
        let mut told: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        told.sort();
        told
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn preflight(cors: &Arc<Cors>, method: Method, origin: Option<&str>) -> Option<Vec<(String, String)>> {
        let request = Request::builder().method(method).header(ACCESS_CONTROL_REQUEST_METHOD, "PUT");
        let request = request.header(ACCESS_CONTROL_REQUEST_HEADERS, "x-a, x-b");
        let request = origin.into_iter().fold(request, |request, origin| request.header(ORIGIN, origin)).body(()).unwrap();
        super::preflight(cors, Asked::of(&request)).map(|headers| told(&headers))
    }

    fn answered(cors: &Arc<Cors>, origin: &str) -> Vec<(String, String)> {
        let request = Request::get("/").header(ORIGIN, origin).body(()).unwrap();
        let mut headers = HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_static("1"))]);
        if let Some(granted) = grant(cors, request.headers()) {
            granted.answer(&mut headers);
        }
        told(&headers)
    }

    #[test]
    fn a_browser_is_told_what_may_be_asked() {
        let cors = cors(shop(), false, || Listed::These(HeaderValue::from_static("a, b")));
        let expected = [
            ("access-control-allow-headers", "a, b"),
            ("access-control-allow-methods", "a, b"),
            ("access-control-allow-origin", SHOP),
            ("access-control-max-age", "5"),
            ("vary", "origin"),
        ];
        assert_eq!(preflight(&cors, Method::OPTIONS, Some(SHOP)), Some(pairs(&expected)));
        assert_eq!(preflight(&cors, Method::OPTIONS, Some("https://other.example")), Some(Vec::new()));
        assert_eq!(preflight(&cors, Method::GET, Some(SHOP)), None, "that asks for something");
        assert_eq!(preflight(&cors, Method::OPTIONS, None), None, "no browser does");
    }

    #[test]
    fn an_asterisk_stands_for_itself_only_without_credentials() {
        let without = cors(Origins::Any, false, || Listed::Any);
        let with = cors(Origins::Any, true, || Listed::Any);
        let expected = [
            ("access-control-allow-headers", "*"),
            ("access-control-allow-methods", "*"),
            ("access-control-allow-origin", "*"),
            ("access-control-max-age", "5"),
        ];
        assert_eq!(preflight(&without, Method::OPTIONS, Some(SHOP)), Some(pairs(&expected)));
        let expected = [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "x-a, x-b"),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-origin", SHOP),
            ("access-control-max-age", "5"),
            ("vary", "origin"),
        ];
        assert_eq!(preflight(&with, Method::OPTIONS, Some(SHOP)), Some(pairs(&expected)));
        let expected = [
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-origin", SHOP),
            ("access-control-expose-headers", "etag"),
            ("etag", "1"),
            ("vary", "origin"),
        ];
        assert_eq!(answered(&with, SHOP), pairs(&expected));
    }

    #[test]
    fn answers_are_shown_to_the_origins_that_may_ask() {
        let cors = cors(shop(), false, || Listed::Nothing);
        let expected = [("access-control-allow-origin", SHOP), ("etag", "1"), ("vary", "origin")];
        assert_eq!(answered(&cors, SHOP), pairs(&expected));
        assert_eq!(answered(&cors, "https://other.example"), pairs(&[("etag", "1")]));
    }
}
