//! The four forms of a request target, and what `Host` has to say to it (RFC 9112, section 3.2 and 3.3).

use std::net::Ipv6Addr;

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Uri, Version,
    header::HOST,
    uri::{Authority, Scheme},
};

use super::Malformed;

/// The client wrote the target in absolute form, as one does to a forward proxy: it is passed on in the same form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsoluteForm;

/// Gives `request` its target, in origin form unless it is `*` or that of CONNECT, and sees to it that `Host` is one host
/// that agrees with it.
pub fn settle(request: &mut Request<()>, target: Bytes) -> Result<(), Malformed> {
    if !target.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        return Err(Malformed::Target);
    }
    let host = host(request)?;
    let connect = *request.method() == Method::CONNECT;
    let asterisk = &target[..] == b"*";
    let origin = target.starts_with(b"/");
    // An absolute target without a path: asked about by OPTIONS, it is the whole server (RFC 9112, section 3.2.4).
    let whole = !origin && target.iter().filter(|byte| **byte == b'/').count() == 2 && !target.contains(&b'?');
    let uri = Uri::from_maybe_shared(target).map_err(|_| Malformed::Target)?;
    let (scheme, authority) = (uri.scheme(), uri.authority());
    match (scheme, authority) {
        (None, Some(authority)) if connect && authority.port_u16().is_some() => agrees(host.as_ref(), authority, None)?,
        (Some(scheme), Some(authority)) if !connect && (*scheme == Scheme::HTTP || *scheme == Scheme::HTTPS) => {
            agrees(host.as_ref(), authority, Some(scheme))?;
            if host.is_none() {
                let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Malformed::Target)?;
                request.headers_mut().insert(HOST, host);
            }
            if *request.method() == Method::OPTIONS && whole {
                *request.uri_mut() = Uri::from_static("*");
                return Ok(());
            }
            request.extensions_mut().insert(AbsoluteForm);
        }
        (None, None) if (origin && !connect) || (asterisk && *request.method() == Method::OPTIONS) => {}
        _ => return Err(Malformed::Target),
    }
    *request.uri_mut() = uri;
    Ok(())
}

/// The one host of the request; only HTTP/1.0 may do without.
fn host(request: &Request<()>) -> Result<Option<Authority>, Malformed> {
    let mut values = request.headers().get_all(HOST).iter();
    match (values.next(), values.next()) {
        (None, _) if request.version() == Version::HTTP_10 => Ok(None),
        (Some(value), None) => {
            let host = Authority::try_from(value.as_bytes()).map_err(|_| Malformed::Host)?;
            sound(&host).then_some(Some(host)).ok_or(Malformed::Host)
        }
        _ => Err(Malformed::Host),
    }
}

/// A host and perhaps a port; no user, and nothing that only some readers take for a host.
fn sound(authority: &Authority) -> bool {
    let text = authority.as_str();
    let port = text.strip_prefix(authority.host()).unwrap_or_default();
    let port_is_sound = port.is_empty() || (port.starts_with(':') && (port.len() == 1 || authority.port_u16().is_some()));
    !text.contains('@') && !authority.host().is_empty() && brackets_are_sound(authority.host()) && port_is_sound
}

fn brackets_are_sound(host: &str) -> bool {
    match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.contains(']'),
    }
}

fn agrees(host: Option<&Authority>, target: &Authority, scheme: Option<&Scheme>) -> Result<(), Malformed> {
    if !sound(target) {
        return Err(Malformed::Target);
    }
    let default = match scheme {
        Some(scheme) if *scheme == Scheme::HTTPS => Some(443),
        Some(_) => Some(80),
        None => None,
    };
    let port = |authority: &Authority| authority.port_u16().or(default);
    let same =
        |host: &Authority| host.host().eq_ignore_ascii_case(target.host()) && (port(host) == port(target) || scheme.is_none());
    if host.is_none_or(same) { Ok(()) } else { Err(Malformed::HostDisagrees) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(method: Method, target: &str, hosts: &[&str], version: Version) -> Result<Request<()>, Malformed> {
        let mut request = Request::builder().method(method).version(version);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        let mut request = request.body(()).unwrap();
        settle(&mut request, Bytes::copy_from_slice(target.as_bytes())).map(|()| request)
    }

    #[test]
    fn each_form_has_its_method() {
        let cases = [
            (Method::GET, "/", Ok(())),
            (Method::GET, "http://cart/x", Ok(())),
            (Method::OPTIONS, "*", Ok(())),
            (Method::CONNECT, "cart:443", Ok(())),
            (Method::GET, "*", Err(Malformed::Target)),
            (Method::GET, "cart:443", Err(Malformed::Target)),
            (Method::GET, "cart", Err(Malformed::Target)),
            (Method::CONNECT, "/", Err(Malformed::Target)),
            (Method::CONNECT, "cart", Err(Malformed::Target)),
            (Method::OPTIONS, "http://cart", Ok(())),
            (Method::GET, "ftp://cart/", Err(Malformed::Target)),
            (Method::GET, "/#x", Err(Malformed::Target)),
            (Method::GET, "/\u{e9}", Err(Malformed::Target)),
            (Method::GET, "http://you@cart/", Err(Malformed::Target)),
            (Method::GET, "http://stock/", Err(Malformed::HostDisagrees)),
            (Method::GET, "http://cart:81/", Err(Malformed::HostDisagrees)),
            (Method::GET, "http://CART:80/", Ok(())),
        ];
        for (method, target, expected) in cases {
            let settled = settled(method.clone(), target, &["cart"], Version::HTTP_11).map(drop);
            assert_eq!(settled, expected, "{method} {target}");
        }
    }

    #[test]
    fn there_is_one_host_and_it_is_one() {
        for hosts in
            [&[][..], &[""], &["a", "a"], &["a@b"], &["a/b"], &["a b"], &["a:b"], &["a,b:1:2"], &["a:99999"], &["[a]"], &["[::1"]]
        {
            assert_eq!(settled(Method::GET, "/", hosts, Version::HTTP_11).map(drop), Err(Malformed::Host), "{hosts:?}");
        }
        for host in ["a", "a:1", "[fd96::1]:80", "10.0.0.1"] {
            assert!(settled(Method::GET, "/", &[host], Version::HTTP_11).is_ok(), "{host}");
        }
        assert!(settled(Method::GET, "/", &[], Version::HTTP_10).is_ok());
    }

    #[test]
    fn options_of_a_whole_server_asks_about_all_of_it() {
        assert_eq!(settled(Method::OPTIONS, "http://cart", &["cart"], Version::HTTP_11).unwrap().uri(), "*");
        assert_eq!(settled(Method::OPTIONS, "http://cart/", &["cart"], Version::HTTP_11).unwrap().uri(), "http://cart/");
    }

    #[test]
    fn an_absolute_target_gives_an_old_client_its_host() {
        let request = settled(Method::GET, "http://cart:81/", &[], Version::HTTP_10).unwrap();
        assert_eq!(request.headers()[HOST], "cart:81");
        assert!(request.extensions().get::<AbsoluteForm>().is_some());
    }
}
