//! Where a client is told to go instead.

use std::net::SocketAddr;

use http::{
    HeaderValue,
    header::HOST,
    uri::{Authority, Scheme},
};

use super::{Asked, path};
use crate::snapshot::Redirect;

/// The `Location` that `redirect` makes of what was asked at the address `dialled`; `None` when it cannot be written.
///
/// As the Gateway API says: a new scheme brings its own port, and the port that is usual for a scheme is left out.
pub(super) fn location(redirect: &Redirect, asked: Asked<'_>, dialled: SocketAddr) -> Option<HeaderValue> {
    let scheme = redirect.scheme.as_ref().or(asked.uri.scheme()).unwrap_or(&Scheme::HTTP);
    let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
    let port = redirect.port.unwrap_or(if redirect.scheme.is_some() { usual } else { dialled.port() });
    let host = match &redirect.host {
        Some(host) => host.to_string(),
        None => host(asked).unwrap_or_else(|| bare(dialled)),
    };
    let port = if port == usual { String::new() } else { format!(":{port}") };
    let target = match &redirect.path {
        Some(rewrite) => path::rewritten(rewrite, asked.path(), asked.uri.query()),
        None => asked.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
    };
    HeaderValue::try_from(format!("{scheme}://{host}{port}{target}")).ok()
}

/// The host that a client named, without its port.
fn host(asked: Asked<'_>) -> Option<String> {
    if let Some(authority) = asked.uri.authority() {
        return Some(authority.host().to_owned());
    }
    let host = Authority::try_from(asked.headers.get(HOST)?.as_bytes()).ok()?;
    Some(host.host().to_owned())
}

/// An address, as it stands for a host.
fn bare(dialled: SocketAddr) -> String {
    match dialled {
        SocketAddr::V4(dialled) => dialled.ip().to_string(),
        SocketAddr::V6(dialled) => format!("[{}]", dialled.ip()),
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, StatusCode};

    use super::*;
    use crate::snapshot::PathRewrite;

    fn redirect() -> Redirect {
        Redirect { status: StatusCode::FOUND, scheme: None, host: None, port: None, path: None }
    }

    /// Where a client is sent that asked `host` for `/a/b?c` at port 8080.
    fn sent(redirect: &Redirect, host: &str) -> String {
        let request = Request::get("/a/b?c").header(HOST, host).body(()).unwrap();
        location(redirect, Asked::of(&request), "[fd77::5]:8080".parse().unwrap()).unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn what_is_not_replaced_stays() {
        assert_eq!(sent(&redirect(), "cart:8080"), "http://cart:8080/a/b?c");
        assert_eq!(sent(&redirect(), "[fd77::5]:8080"), "http://[fd77::5]:8080/a/b?c");
        assert_eq!(sent(&redirect(), ""), "http://[fd77::5]:8080/a/b?c");
        let host = Some("v2.shop".into());
        assert_eq!(sent(&Redirect { host, ..redirect() }, "cart:8080"), "http://v2.shop:8080/a/b?c");
    }

    #[test]
    fn the_usual_port_of_a_scheme_is_left_out() {
        for (scheme, port, expected) in [
            (None, Some(80), "http://cart/a/b?c"),
            (None, Some(443), "http://cart:443/a/b?c"),
            (None, Some(81), "http://cart:81/a/b?c"),
            (Some(Scheme::HTTPS), None, "https://cart/a/b?c"),
            (Some(Scheme::HTTPS), Some(443), "https://cart/a/b?c"),
            (Some(Scheme::HTTPS), Some(80), "https://cart:80/a/b?c"),
            (Some(Scheme::HTTP), None, "http://cart/a/b?c"),
        ] {
            assert_eq!(
                sent(&Redirect { scheme: scheme.clone(), port, ..redirect() }, "cart:8080"),
                expected,
                "{scheme:?} {port:?}"
            );
        }
    }

    #[test]
    fn a_path_is_replaced_whole_or_by_its_prefix() {
        let to = |path| Redirect { path: Some(path), port: Some(80), ..redirect() };
        assert_eq!(sent(&to(PathRewrite::Whole("/x".into())), "cart"), "http://cart/x?c");
        let prefix = PathRewrite::Prefix { of: "/a".into(), with: "/x/".into() };
        assert_eq!(sent(&to(prefix), "cart"), "http://cart/x/b?c");
    }

    #[test]
    fn a_host_is_found_where_http2_has_it() {
        let request = Request::get("http://cart:8080/a").body(()).unwrap();
        let location = location(&redirect(), Asked::of(&request), "10.96.0.5:8080".parse().unwrap());
        assert_eq!(location.unwrap(), "http://cart:8080/a");
    }
}
