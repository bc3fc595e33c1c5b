//! What requests must pass before they go on, from the configuration of Envoy's filters and our own metadata.

use std::{sync::Arc, time::Instant};

use http::{HeaderValue, StatusCode};
use prost::Message;
use wire::{
    envoy::{
        config::{
            core::v3::Metadata,
            route::v3::{FilterConfig, Route},
        },
        extensions::filters::{
            common::fault::v3::{FaultDelay, fault_delay::FaultDelaySecifier},
            http::{
                cors::v3::CorsPolicy,
                fault::v3::{FaultAbort, HttpFault, fault_abort::ErrorType},
            },
        },
        r#type::v3::{FractionalPercent, fractional_percent::DenominatorType},
    },
    names,
};

use super::{limits::Limits, routes::text};
use crate::snapshot::{Abort, Cors, Faults, Gate, Listed, Origins, Share, TextMatch};

/// All of something, in millionths.
const WHOLE: u32 = 1_000_000;

/// The gate of `route`; `None` where there is nothing to pass.
///
/// # Errors
/// What is wrong with it: nobody may be let past that.
pub(super) fn of_route(route: &Route, limits: &mut Limits, now: Instant) -> Result<Option<Arc<Gate>>, String> {
    let gate = Gate {
        cors: config::<CorsPolicy>(route, names::CORS_FILTER)?.map(|policy| cors(&policy).map(Arc::new)).transpose()?,
        limits: self::limits(route.metadata.as_ref(), limits, now)?,
        faults: config::<HttpFault>(route, names::FAULT_FILTER)?.map_or(Ok(Faults::default()), |fault| faults(&fault))?,
    };
    let is_open = gate.cors.is_none() && gate.limits.is_empty() && gate.faults.delay.is_none() && gate.faults.abort.is_none();
    Ok((!is_open).then(|| Arc::new(gate)))
}

/// The gate of one of this proxy's own ports, of which `metadata` tells.
///
/// # Errors
/// What is wrong with it.
pub(super) fn of_port(metadata: Option<&Metadata>, limits: &mut Limits, now: Instant) -> Result<Option<Arc<Gate>>, String> {
    let limits = self::limits(metadata, limits, now)?;
    Ok((!limits.is_empty()).then(|| Arc::new(Gate { limits, ..Gate::default() })))
}

fn limits(
    metadata: Option<&Metadata>,
    limits: &mut Limits,
    now: Instant,
) -> Result<Vec<Arc<crate::rate_limit::RateLimit>>, String> {
    names::metadata_text(metadata, names::RATE_LIMITS).map_or(Ok(Vec::new()), |text| limits.read(text, now))
}

/// What a route says to a filter.
fn config<T: Message + Default>(route: &Route, filter: &str) -> Result<Option<T>, String> {
    let Some(told) = route.typed_per_filter_config.get(filter) else { return Ok(None) };
    let wrong = |error: prost::DecodeError| format!("what it says to {filter} cannot be read: {error}");
    if told.type_url != names::FILTER_CONFIG {
        return T::decode(&*told.value).map(Some).map_err(wrong);
    }
    let inside = FilterConfig::decode(&*told.value).map_err(wrong)?.config;
    inside.map(|inside| T::decode(&*inside.value)).transpose().map_err(wrong)
}

fn faults(HttpFault { delay, abort }: &HttpFault) -> Result<Faults, String> {
    Ok(Faults { delay: delay.as_ref().map(self::delay).transpose()?, abort: abort.as_ref().map(self::abort).transpose()? })
}

fn delay(told: &FaultDelay) -> Result<Share<std::time::Duration>, String> {
    let Some(FaultDelaySecifier::FixedDelay(time)) = &told.fault_delay_secifier else {
        return Err("a fault does not say how long requests are held up".into());
    };
    let what = std::time::Duration::try_from(*time).map_err(|_| "a fault holds requests up for a negative time".to_owned())?;
    Ok(Share { millionths: millionths(told.percentage.as_ref()), what })
}

fn abort(told: &FaultAbort) -> Result<Share<Abort>, String> {
    let what = match told.error_type {
        Some(ErrorType::HttpStatus(status)) => of_http(status),
        Some(ErrorType::GrpcStatus(code)) => of_grpc(code),
        None => None,
    };
    let what = what.ok_or("a fault answers with an error that is none")?;
    Ok(Share { millionths: millionths(told.percentage.as_ref()), what })
}

/// What is not said is none, as in Envoy.
fn millionths(told: Option<&FractionalPercent>) -> u32 {
    let Some(told) = told else { return 0 };
    let each = match told.denominator() {
        DenominatorType::Hundred => 10_000,
        DenominatorType::TenThousand => 100,
        DenominatorType::Million => 1,
    };
    told.numerator.saturating_mul(each).min(WHOLE)
}

/// Source: "HTTP to gRPC Status Code Mapping" of gRPC.
fn of_http(status: u32) -> Option<Abort> {
    let grpc = match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    };
    let status = u16::try_from(status).ok().filter(|status| (200..600).contains(status))?;
    Some(Abort { status: StatusCode::from_u16(status).ok()?, grpc })
}

/// Source: the comments of `google.rpc.Code`.
fn of_grpc(code: u32) -> Option<Abort> {
    let status = match code {
        1 => 499,
        2 | 13 | 15 => 500,
        3 | 9 | 11 => 400,
        4 => 504,
        5 => 404,
        6 | 10 => 409,
        7 => 403,
        8 => 429,
        12 => 501,
        14 => 503,
        16 => 401,
        _ => return None,
    };
    Some(Abort { status: StatusCode::from_u16(status).ok()?, grpc: u16::try_from(code).ok()? })
}

fn cors(policy: &CorsPolicy) -> Result<Cors, String> {
    let origins = policy.allow_origin_string_match.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let is_any = |origin: &TextMatch| matches!(origin, TextMatch::Exact(exact) if &**exact == "*");
    let max_age = if policy.max_age.is_empty() { "5" } else { &policy.max_age };
    Ok(Cors {
        origins: if origins.iter().any(is_any) { Origins::Any } else { Origins::These(origins) },
        credentials: policy.allow_credentials.unwrap_or_default(),
        methods: listed(&policy.allow_methods)?,
        headers: listed(&policy.allow_headers)?,
        exposed: listed(&policy.expose_headers)?,
        max_age: value(max_age)?,
    })
}

fn listed(text: &str) -> Result<Listed, String> {
    match text {
        "" => Ok(Listed::Nothing),
        "*" => Ok(Listed::Any),
        these => value(these).map(Listed::These),
    }
}

fn value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_str(text).map_err(|_| format!("{text:?} is not the value of a header"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use wire::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};

    use super::*;
    use crate::clock;

    fn told(filter: &str, message: &impl Message) -> Route {
        let config = Some(prost_types::Any { type_url: String::from("any"), value: message.encode_to_vec() });
        let wrapped = FilterConfig { config, is_optional: true };
        let any = prost_types::Any { type_url: names::FILTER_CONFIG.into(), value: wrapped.encode_to_vec() };
        Route { typed_per_filter_config: [(filter.to_owned(), any)].into(), ..Default::default() }
    }

    fn read(route: &Route) -> Result<Option<Arc<Gate>>, String> {
        of_route(route, &mut Limits::default(), clock::now())
    }

    fn percent(numerator: u32) -> Option<FractionalPercent> {
        Some(FractionalPercent { numerator, denominator: DenominatorType::Hundred.into() })
    }

    #[test]
    fn where_nothing_is_said_there_is_no_gate() {
        assert!(read(&Route::default()).unwrap().is_none());
        assert!(of_port(None, &mut Limits::default(), clock::now()).unwrap().is_none());
    }

    #[test]
    fn faults_are_read() {
        let time = prost_types::Duration { seconds: 1, nanos: 0 };
        let delay = FaultDelay { fault_delay_secifier: Some(FaultDelaySecifier::FixedDelay(time)), percentage: percent(5) };
        let abort = |error| FaultAbort { error_type: Some(error), percentage: None };
        let fault = HttpFault { delay: Some(delay), abort: Some(abort(ErrorType::GrpcStatus(14))) };
        let gate = read(&told(names::FAULT_FILTER, &fault)).unwrap().unwrap();
        assert_eq!(gate.faults.delay, Some(Share { millionths: 50_000, what: Duration::from_secs(1) }));
        let unavailable = Abort { status: StatusCode::SERVICE_UNAVAILABLE, grpc: 14 };
        assert_eq!(gate.faults.abort, Some(Share { millionths: 0, what: unavailable }));
        for wrong in [ErrorType::GrpcStatus(0), ErrorType::HttpStatus(100), ErrorType::HttpStatus(600)] {
            let fault = HttpFault { delay: None, abort: Some(abort(wrong)) };
            assert!(read(&told(names::FAULT_FILTER, &fault)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn which_origins_may_ask_is_read() {
        let text = |text: &str| StringMatcher { match_pattern: Some(MatchPattern::Exact(text.into())), ignore_case: false };
        let policy = CorsPolicy {
            allow_origin_string_match: vec![text("https://shop.example")],
            allow_methods: "GET, PUT".into(),
            allow_headers: "*".into(),
            allow_credentials: Some(true),
            ..Default::default()
        };
        let gate = read(&told(names::CORS_FILTER, &policy)).unwrap().unwrap();
        let cors = gate.cors.as_ref().unwrap();
        assert!(matches!(&cors.origins, Origins::These(these) if these.len() == 1) && cors.credentials);
        assert!(matches!(&cors.methods, Listed::These(these) if these == "GET, PUT"));
        assert!(matches!((&cors.headers, &cors.exposed), (Listed::Any, Listed::Nothing)));
        assert_eq!(cors.max_age, "5");
        let everybody = CorsPolicy { allow_origin_string_match: vec![text("*")], ..Default::default() };
        let gate = read(&told(names::CORS_FILTER, &everybody)).unwrap().unwrap();
        assert!(matches!(gate.cors.as_ref().unwrap().origins, Origins::Any));
    }

    #[test]
    fn limits_are_those_of_our_metadata() {
        let metadata = Some(names::metadata([(names::RATE_LIMITS, "1/1000/1/all a")]));
        let route = Route { metadata: metadata.clone(), ..Default::default() };
        assert_eq!(read(&route).unwrap().unwrap().limits.len(), 1);
        assert!(of_port(metadata.as_ref(), &mut Limits::default(), clock::now()).unwrap().is_some());
        let wrong = Route { metadata: Some(names::metadata([(names::RATE_LIMITS, "often")])), ..Default::default() };
        assert!(read(&wrong).is_err());
    }
}
