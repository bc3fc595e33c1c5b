//! From `AuthorizationPolicy`s, as they are written, to the index's nouns: the same for each source.
//!
//! What means nothing must let nobody in. A rule that lets in counts only if all of it means something; of one that keeps out,
//! whatever means nothing counts as if it held.

mod conditions;
mod values;

use self::conditions::Reading;
use super::mistake::Mistake;
use crate::{
    index::{
        Edition, Key,
        authorizations::{Action, AuthorizationPolicy, Reach},
    },
    manifest::{authorization::AuthorizationPolicySpec, traffic::TargetReference},
};

/// What `spec` says, and what in it means nothing.
pub(crate) fn policy(key: Key, spec: &AuthorizationPolicySpec) -> (AuthorizationPolicy, Vec<Mistake>) {
    let mut reading = Reading::new(&key.namespace);
    reading.unknown("spec", &spec.unknown);
    let reach = reach(&mut reading, spec);
    let action = match spec.action.as_str() {
        "ALLOW" | "" => Some(Action::Allow),
        "DENY" => Some(Action::Deny),
        "AUDIT" => Some(Action::Audit),
        other => {
            reading.wrong("spec.action", format!("`{other}` is not an action: expected ALLOW, DENY or AUDIT"));
            None
        }
    };
    let mut rules = Vec::new();
    for (number, written) in spec.rules.iter().enumerate() {
        let (rule, is_whole) = reading.rule(&format!("spec.rules[{number}]"), written);
        if is_whole || action == Some(Action::Deny) {
            rules.push((number, rule));
        }
    }
    // What is to be done nobody knows: whoever it is about stays out.
    let (action, rules) = action.map_or_else(|| (Action::Allow, Vec::new()), |action| (action, rules));
    let mistakes = reading.mistakes;
    let told = mistakes.iter().map(Mistake::to_string).collect();
    (AuthorizationPolicy { key, edition: Edition::default(), action, reach, rules, mistakes: told }, mistakes)
}

/// One of which nothing can be read, as `why` says: it lets nobody into its namespace.
pub(super) fn unreadable(key: Key, why: &Mistake) -> AuthorizationPolicy {
    let (action, reach, rules) = (Action::Allow, Reach::Everything, Vec::new());
    AuthorizationPolicy { key, edition: Edition::default(), action, reach, rules, mistakes: vec![why.to_string()] }
}

fn reach(reading: &mut Reading<'_>, spec: &AuthorizationPolicySpec) -> Reach {
    let selected = spec.selector.as_ref().map(|selector| selector.match_labels.clone()).filter(|labels| !labels.is_empty());
    if let Some(labels) = selected {
        if !spec.target_refs.is_empty() {
            reading.wrong("spec.targetRefs", "pods are selected already: use either spec.selector or this");
        }
        return Reach::Pods(labels);
    }
    if spec.target_refs.is_empty() {
        return Reach::Everything;
    }
    let mut services = Vec::new();
    for (number, TargetReference { group, kind, name, section_name }) in spec.target_refs.iter().enumerate() {
        if group.is_empty() && kind == "Service" {
            services.push((name.clone(), section_name.clone()));
        } else {
            let field = format!("spec.targetRefs[{number}].kind");
            reading.wrong(&field, format!("a policy is about the pods of Services, not of `{kind}` of group `{group}`"));
        }
    }
    // Nobody knows whose callers are meant: then it is about more rather than fewer.
    if services.is_empty() { Reach::Everything } else { Reach::Services(services) }
}

#[cfg(test)]
mod tests;
