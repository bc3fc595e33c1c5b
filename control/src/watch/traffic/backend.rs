//! What the Gateway API has for a part of it: `XBackendTrafficPolicy`, of which the budget for further tries is ours.
//!
//! It is read as leniently as routes are: a field that came after us costs nothing.

use std::time::Duration;

use super::{Mistake, Reading, told, tries};
use crate::{
    index::{
        Edition, Key,
        traffic::{Attached, PolicyKind, RetryBudget, Said, TrafficPolicy},
    },
    manifest::traffic::{BackendTarget, BackendTrafficPolicySpec, RequestRate, RetryConstraint},
};

/// In how long there may be so many in any case, when nothing is said.
const RATE_INTERVAL: Duration = Duration::from_secs(1);

/// What `spec` says, and what in it means nothing.
pub(in crate::watch) fn backend_policy(key: Key, made: i64, spec: &BackendTrafficPolicySpec) -> (TrafficPolicy, Vec<Mistake>) {
    let mut reading = Reading::default();
    let mut targets = Vec::new();
    for (number, BackendTarget { group, kind, name }) in spec.target_refs.iter().enumerate() {
        if !group.is_empty() || kind != "Service" {
            let what = format!("`{kind}` of group `{group}` cannot be one: expected Service of group ``");
            reading.wrong(&format!("spec.targetRefs[{number}].kind"), what);
            continue;
        }
        let service = Key { namespace: key.namespace.clone(), name: name.clone() };
        targets.push(Attached::Service(service, None));
    }
    let retry_budget = spec.retry_constraint.as_ref().and_then(|said| budget(&mut reading, said));
    let said = Said { retry_budget, ..Said::default() };
    let mistakes = reading.mistakes;
    let told = mistakes.iter().map(told).collect();
    let (kind, edition) = (PolicyKind::Backend, Edition::default());
    (TrafficPolicy { kind, key, made, edition, targets, said, mistakes: told }, mistakes)
}

fn budget(reading: &mut Reading, said: &RetryConstraint) -> Option<RetryBudget> {
    let field = "spec.retryConstraint";
    let budget = said.budget.clone().unwrap_or_default();
    let percent = reading.percent(&format!("{field}.budget.percent"), budget.percent.unwrap_or(tries::BUDGET_PERCENT));
    let interval = reading.span_or(&format!("{field}.budget.interval"), budget.interval.as_deref(), tries::BUDGET_INTERVAL);
    let RequestRate { count, interval: every } = said.min_retry_rate.clone().unwrap_or_default();
    let every = reading.span_or(&format!("{field}.minRetryRate.interval"), every.as_deref(), RATE_INTERVAL)?;
    let count = f64::from(count.unwrap_or(tries::BUDGET_PER_SECOND));
    // Rounded up: one a minute is not none. A number beyond those there are becomes the last.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let per_second = (count / every.as_secs_f64()).ceil() as u32;
    Some(RetryBudget { percent: percent?, interval: interval?, per_second })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(spec: Value) -> (TrafficPolicy, Vec<String>) {
        let key = Key { namespace: "shop".into(), name: "a".into() };
        let (policy, mistakes) = backend_policy(key, 1, &serde_json::from_value(spec).unwrap());
        (policy, mistakes.into_iter().map(|mistake| mistake.field).collect())
    }

    #[test]
    fn the_budget_for_further_tries_is_read() {
        let cart = json!([{ "group": "", "kind": "Service", "name": "cart" }]);
        let rate = json!({ "count": 3, "interval": "2s" });
        let constraint = json!({ "budget": { "percent": 5, "interval": "1m" }, "minRetryRate": rate, "later": true });
        let (policy, mistakes) = read(json!({ "targetRefs": cart, "retryConstraint": constraint, "sessionPersistence": {} }));
        assert_eq!((policy.targets.len(), mistakes.len()), (1, 0));
        let expected = RetryBudget { percent: 5, interval: Duration::from_secs(60), per_second: 2 };
        assert_eq!(policy.said.retry_budget, Some(expected));
        let usual = RetryBudget { percent: 20, interval: Duration::from_secs(10), per_second: 10 };
        assert_eq!(read(json!({ "retryConstraint": {} })).0.said.retry_budget, Some(usual));
        assert_eq!(read(json!({})).0.said, Said::default());
    }

    #[test]
    fn what_means_nothing_is_told() {
        let route = json!([{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "name": "r" }]);
        let (policy, mistakes) = read(json!({ "targetRefs": route, "retryConstraint": { "budget": { "percent": 101 } } }));
        assert_eq!((policy.targets.len(), policy.said), (0, Said::default()));
        assert_eq!(mistakes, ["spec.targetRefs[0].kind", "spec.retryConstraint.budget.percent"]);
    }
}
