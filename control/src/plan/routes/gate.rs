//! What requests must pass before they go on: what pages of other origins may ask, how often may be asked, and what is done for a trial.

use std::time::Duration;

use prost_types::Any;
use wire::{
    envoy::{
        config::{
            core::v3::RuntimeFractionalPercent,
            route::v3::{FilterConfig, Route},
        },
        extensions::filters::{
            common::fault::v3::{FaultDelay, fault_delay::FaultDelaySecifier},
            http::{
                cors::v3::CorsPolicy,
                fault::v3::{FaultAbort, HttpFault, fault_abort::ErrorType},
                local_ratelimit::v3::LocalRateLimit,
            },
        },
        r#type::v3::{FractionalPercent, TokenBucket, fractional_percent::DenominatorType},
    },
    names,
};

use super::{
    super::{limits, shape::any},
    matches,
};
use crate::index::{
    routes::Cors,
    traffic::{Abort, By, Faults, RateLimit, Said},
};

/// All of something, in millionths.
const WHOLE: u32 = 1_000_000;

/// Envoy fills no bucket more often.
const FILL_MIN: Duration = Duration::from_millis(50);

/// Puts it before the requests of `route`.
pub(super) fn put(route: &mut Route, said: &Said, cors: Option<&Cors>) {
    let mut tell = |filter: &str, config: Any| {
        // Whoever does not know the filter is not to refuse the route.
        let config = FilterConfig { config: Some(config), is_optional: true };
        route.typed_per_filter_config.insert(filter.to_owned(), any(names::FILTER_CONFIG, &config));
    };
    if let Some(cors) = cors {
        tell(names::CORS_FILTER, any(names::CORS_POLICY, &policy(cors)));
    }
    if let Some(faults) = &said.faults {
        tell(names::FAULT_FILTER, any(names::HTTP_FAULT, &fault(faults)));
    }
    if let Some(limit) = said.rate_limits.iter().find(|limit| limit.by == By::All) {
        tell(names::RATE_LIMIT_FILTER, any(names::LOCAL_RATE_LIMIT, &rate_limit(limit)));
    }
    if !said.rate_limits.is_empty() {
        names::add_text(route.metadata.get_or_insert_default(), names::RATE_LIMITS, &limits::text(&said.rate_limits));
    }
}

fn policy(cors: &Cors) -> CorsPolicy {
    CorsPolicy {
        allow_origin_string_match: cors.origins.iter().map(matches::text).collect(),
        allow_methods: cors.methods.join(", "),
        allow_headers: cors.headers.join(", "),
        expose_headers: cors.exposed.join(", "),
        max_age: cors.max_age.to_string(),
        allow_credentials: Some(cors.credentials),
        // What may not ask is answered here, too.
        forward_not_matching_preflights: Some(false),
    }
}

fn fault(Faults { delay, abort }: &Faults) -> HttpFault {
    HttpFault {
        delay: delay.map(|(time, share)| FaultDelay {
            fault_delay_secifier: time.try_into().ok().map(FaultDelaySecifier::FixedDelay),
            percentage: Some(millionths(share)),
        }),
        abort: abort.map(|(abort, share)| FaultAbort {
            error_type: Some(match abort {
                Abort::Http(status) => ErrorType::HttpStatus(status.into()),
                Abort::Grpc(code) => ErrorType::GrpcStatus(code.number()),
            }),
            percentage: Some(millionths(share)),
        }),
    }
}

/// The nearest that Envoy has.
fn rate_limit(limit: &RateLimit) -> LocalRateLimit {
    let RateLimit { requests, per, burst, .. } = limit;
    let fill = (*per).max(FILL_MIN);
    let in_it = u128::from(*requests) * fill.as_millis() / per.as_millis().max(1);
    let all = || Some(RuntimeFractionalPercent { default_value: Some(millionths(WHOLE)) });
    LocalRateLimit {
        stat_prefix: String::from("weft"),
        token_bucket: Some(TokenBucket {
            max_tokens: *burst,
            tokens_per_fill: Some(u32::try_from(in_it).unwrap_or(u32::MAX)),
            fill_interval: fill.try_into().ok(),
        }),
        filter_enabled: all(),
        filter_enforced: all(),
    }
}

fn millionths(numerator: u32) -> FractionalPercent {
    FractionalPercent { numerator, denominator: DenominatorType::Million.into() }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::index::{routes::ValueMatch, traffic::GrpcCode};

    fn told<T: Message + Default>(route: &Route, filter: &str, type_url: &str) -> T {
        let config = &route.typed_per_filter_config[filter];
        assert_eq!(config.type_url, names::FILTER_CONFIG);
        let FilterConfig { config, is_optional } = FilterConfig::decode(&*config.value).unwrap();
        let config = config.unwrap();
        assert!(is_optional && config.type_url == type_url, "{config:?}");
        T::decode(&*config.value).unwrap()
    }

    fn limit(requests: u32, per: Duration, by: By) -> RateLimit {
        RateLimit { name: format!("n{requests}"), requests, per, burst: 7, by }
    }

    #[test]
    fn nothing_is_put_where_nothing_is_said() {
        let mut route = Route::default();
        put(&mut route, &Said::default(), None);
        assert_eq!(route, Route::default());
    }

    #[test]
    fn faults_are_put_in_the_words_of_envoys_filter() {
        let faults =
            Faults { delay: Some((Duration::from_millis(1500), 50_000)), abort: Some((Abort::Grpc(GrpcCode::Internal), 7)) };
        let mut route = Route::default();
        put(&mut route, &Said { faults: Some(faults), ..Said::default() }, None);
        let HttpFault { delay, abort } = told(&route, names::FAULT_FILTER, names::HTTP_FAULT);
        let time = prost_types::Duration { seconds: 1, nanos: 500_000_000 };
        assert_eq!(delay.unwrap().fault_delay_secifier, Some(FaultDelaySecifier::FixedDelay(time)));
        let abort = abort.unwrap();
        assert_eq!((abort.error_type, abort.percentage.unwrap().numerator), (Some(ErrorType::GrpcStatus(13)), 7));
    }

    #[test]
    fn limits_are_put_in_our_words_and_the_first_that_envoy_can_keep_in_its() {
        let second = Duration::from_secs(1);
        let rate_limits = vec![limit(5, second, By::Client), limit(100, second / 100, By::All), limit(1, second, By::All)];
        let mut route = Route::default();
        put(&mut route, &Said { rate_limits, ..Said::default() }, None);
        let text = names::metadata_text(route.metadata.as_ref(), names::RATE_LIMITS).unwrap();
        assert_eq!(text, "5/1000/7/client n5\n100/10/7/all n100\n1/1000/7/all n1");
        let LocalRateLimit { token_bucket, .. } = told(&route, names::RATE_LIMIT_FILTER, names::LOCAL_RATE_LIMIT);
        let bucket = token_bucket.unwrap();
        assert_eq!((bucket.max_tokens, bucket.tokens_per_fill), (7, Some(500)));
        assert_eq!(bucket.fill_interval.unwrap().nanos, 50_000_000, "Envoy fills no bucket more often");
    }

    #[test]
    fn which_pages_may_ask_is_put_in_the_words_of_envoys_filter() {
        let cors = Cors {
            origins: vec![ValueMatch::Exact("*".into())],
            credentials: true,
            methods: vec!["GET".into(), "PUT".into()],
            headers: Vec::new(),
            exposed: vec!["*".into()],
            max_age: 5,
        };
        let mut route = Route::default();
        put(&mut route, &Said::default(), Some(&cors));
        let policy: CorsPolicy = told(&route, names::CORS_FILTER, names::CORS_POLICY);
        assert_eq!(
            (policy.allow_methods.as_str(), policy.allow_headers.as_str(), policy.max_age.as_str()),
            ("GET, PUT", "", "5")
        );
        assert_eq!((policy.allow_credentials, policy.allow_origin_string_match.len()), (Some(true), 1));
    }
}
