//! How clients of a route stay with an endpoint, read.

use std::{sync::Arc, time::Duration};

use http::HeaderName;
use prost::Message;
use prost_types::Any;
use wire::{
    envoy::{
        config::route::v3::{self as xds, FilterConfig},
        extensions::{
            filters::http::stateful_session::v3::{StatefulSessionPerRoute, stateful_session_per_route::Override},
            http::stateful_session::{cookie::v3::CookieBasedSessionState, header::v3::HeaderBasedSessionState},
        },
    },
    names,
};

use crate::snapshot::{Session, ToldBy};

/// How clients of `route` stay with an endpoint; `None` when they do not.
pub(super) fn read(route: &xds::Route) -> Result<Option<Arc<Session>>, String> {
    let Some(config) = route.typed_per_filter_config.get(names::SESSION_FILTER) else { return Ok(None) };
    let wrapped: FilterConfig;
    let config = match config.type_url.as_str() {
        names::FILTER_CONFIG => {
            wrapped = decode(config)?;
            wrapped.config.as_ref().ok_or("the settings of its sessions are empty")?
        }
        _ => config,
    };
    let StatefulSessionPerRoute { r#override: Some(Override::StatefulSession(session)) } = decode(config)? else {
        return Ok(None);
    };
    let state = session.session_state.and_then(|state| state.typed_config).ok_or("it does not say what tells its sessions")?;
    let time = |key| -> Result<Option<Duration>, String> {
        let text = names::metadata_text(route.metadata.as_ref(), key);
        text.map(|text| text.parse().map(Duration::from_millis).map_err(|_| format!("{key} is not a time"))).transpose()
    };
    let (told_by, lasts) = told_by(&state)?;
    let absolute = time(names::SESSION_ABSOLUTE)?.or(lasts);
    Ok(Some(Arc::new(Session { told_by, absolute, idle: time(names::SESSION_IDLE)? })))
}

/// By what a client tells its session, and how long it does.
fn told_by(state: &Any) -> Result<(ToldBy, Option<Duration>), String> {
    match state.type_url.as_str() {
        names::SESSION_COOKIE => {
            let cookie = decode::<CookieBasedSessionState>(state)?.cookie.ok_or("the cookie of its sessions has no name")?;
            let lasts = cookie.ttl.and_then(|ttl| ttl.try_into().ok()).filter(|ttl: &Duration| !ttl.is_zero());
            let told_by = ToldBy::cookie(&cookie.name, &cookie.path, lasts.is_some());
            Ok((told_by.ok_or_else(|| format!("{:?} is not the name of a cookie", cookie.name))?, lasts))
        }
        names::SESSION_HEADER => {
            let HeaderBasedSessionState { name } = decode(state)?;
            let header = HeaderName::try_from(&name).map_err(|_| format!("{name:?} is not the name of a header"))?;
            Ok((ToldBy::Header(header), None))
        }
        other => Err(format!("sessions cannot be told by {other}")),
    }
}

fn decode<T: Message + Default>(config: &Any) -> Result<T, String> {
    T::decode(&config.value[..]).map_err(|error| format!("the settings of its sessions cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use wire::envoy::{
        config::core::v3::TypedExtensionConfig, extensions::filters::http::stateful_session::v3::StatefulSession,
        r#type::http::v3::Cookie,
    };

    use super::*;

    fn any(type_url: &str, message: &impl Message) -> Any {
        Any { type_url: type_url.into(), value: message.encode_to_vec() }
    }

    fn route(state: Any) -> xds::Route {
        let state = TypedExtensionConfig { name: "state".into(), typed_config: Some(state) };
        let session = StatefulSession { session_state: Some(state) };
        let of_route = StatefulSessionPerRoute { r#override: Some(Override::StatefulSession(session)) };
        let config = FilterConfig { config: Some(any(names::SESSION, &of_route)), is_optional: true };
        xds::Route {
            typed_per_filter_config: [(names::SESSION_FILTER.to_owned(), any(names::FILTER_CONFIG, &config))].into(),
            metadata: Some(names::metadata([(names::SESSION_IDLE, "1500")])),
            ..Default::default()
        }
    }

    fn cookie(name: &str, ttl: Option<u64>) -> Any {
        let ttl = ttl.map(|seconds| Duration::from_secs(seconds).try_into().unwrap());
        any(names::SESSION_COOKIE, &CookieBasedSessionState { cookie: Some(Cookie { name: name.into(), ttl, path: "/".into() }) })
    }

    #[test]
    fn sessions_are_told_by_cookies_and_headers() {
        let read = read(&route(cookie("stay", Some(60)))).unwrap().unwrap();
        assert_eq!((read.absolute, read.idle), (Some(Duration::from_secs(60)), Some(Duration::from_millis(1500))));
        assert!(matches!(&read.told_by, ToldBy::Cookie { name, permanent: true, .. } if &**name == "stay"));
        let header = any(names::SESSION_HEADER, &HeaderBasedSessionState { name: "x-stay".into() });
        assert!(matches!(super::read(&route(header)).unwrap().unwrap().told_by, ToldBy::Header(_)));
        assert_eq!(super::read(&xds::Route::default()), Ok(None));
    }

    #[test]
    fn what_cannot_be_understood_is_a_mistake() {
        for state in [cookie("a b", None), any(names::SESSION_HEADER, &HeaderBasedSessionState::default()), any("other", &())] {
            assert!(read(&route(state)).is_err());
        }
    }
}
