//! Who may do what at a pod's port, in the words of Envoy's RBAC filter: a filter for each action.

use std::collections::BTreeMap;

use wire::{
    envoy::{
        config::{
            core::v3::{CidrRange, TypedExtensionConfig},
            listener::v3::Filter,
            rbac::v3::{
                Permission, Policy, Principal, Rbac as Rules, permission, permission::Rule as May, principal,
                principal::Identifier, rbac,
            },
            route::v3::{HeaderMatcher, header_matcher::HeaderMatchSpecifier},
        },
        extensions::{filters::http::rbac::v3::Rbac, path::r#match::uri_template::v3::UriTemplateMatchConfig},
        r#type::matcher::v3::{PathMatcher, StringMatcher, path_matcher, string_matcher::MatchPattern},
    },
    names,
};

use super::shape::{any, filter};
use crate::index::authorizations::{Action, AuthorizationPolicy, Rule, Text, Tree, What, Who};

/// The filters by which `policies` count. One that lets in and has no rules lets nobody in.
pub(super) fn filters(policies: &[&AuthorizationPolicy]) -> Vec<Filter> {
    let of = |(action, word): (Action, rbac::Action)| {
        let mut those = policies.iter().filter(|policy| policy.action == action).peekable();
        those.peek()?;
        let rules = those.flat_map(|policy| {
            let name = |number| format!("{}[{number}]", policy.key);
            policy.rules.iter().map(move |(number, rule)| (name(number), self::policy(rule)))
        });
        let rules: BTreeMap<String, Policy> = rules.collect();
        let filter_of = Rbac { rules: Some(Rules { action: word.into(), policies: rules }) };
        Some(filter(names::RBAC_FILTER, any(names::RBAC, &filter_of)))
    };
    let actions = [(Action::Deny, rbac::Action::Deny), (Action::Allow, rbac::Action::Allow), (Action::Audit, rbac::Action::Log)];
    actions.into_iter().filter_map(of).collect()
}

fn policy(Rule { who, what }: &Rule) -> Policy {
    Policy { permissions: vec![permission(what)], principals: vec![principal(who)] }
}

fn principal(who: &Tree<Who>) -> Principal {
    let set = |all: &[Tree<Who>]| principal::Set { ids: all.iter().map(principal).collect() };
    let identifier = match who {
        Tree::All(all) if all.is_empty() => Identifier::Any(true),
        Tree::All(all) => Identifier::AndIds(set(all)),
        Tree::Any(any) => Identifier::OrIds(set(any)),
        Tree::Not(other) => Identifier::NotId(Box::new(principal(other))),
        Tree::Is(Who::Proved) => Identifier::Authenticated(principal::Authenticated::default()),
        Tree::Is(Who::Identity(wanted)) => {
            Identifier::Authenticated(principal::Authenticated { principal_name: Some(text(wanted)) })
        }
        Tree::Is(Who::Source(address, bits)) => {
            Identifier::DirectRemoteIp(CidrRange { address_prefix: address.to_string(), prefix_len: Some((*bits).into()) })
        }
    };
    Principal { identifier: Some(identifier) }
}

fn permission(what: &Tree<What>) -> Permission {
    let set = |all: &[Tree<What>]| permission::Set { rules: all.iter().map(permission).collect() };
    let rule = match what {
        Tree::All(all) if all.is_empty() => May::Any(true),
        Tree::All(all) => May::AndRules(set(all)),
        Tree::Any(any) => May::OrRules(set(any)),
        Tree::Not(other) => May::NotRule(Box::new(permission(other))),
        Tree::Is(What::Port(port)) => May::DestinationPort((*port).into()),
        Tree::Is(What::Method(wanted)) => field(":method", Some(wanted)),
        Tree::Is(What::Host(wanted)) => field(":authority", Some(wanted)),
        Tree::Is(What::Header(name, wanted)) => field(name, wanted.as_ref()),
        Tree::Is(What::Path(wanted)) => May::UrlPath(PathMatcher { rule: Some(path_matcher::Rule::Path(text(wanted))) }),
        Tree::Is(What::Template(template)) => {
            let config = any(names::URI_TEMPLATE, &UriTemplateMatchConfig { path_template: template.clone() });
            let name = String::from("envoy.path.match.uri_template.uri_template_matcher");
            May::UriTemplate(TypedExtensionConfig { name, typed_config: Some(config) })
        }
    };
    Permission { rule: Some(rule) }
}

fn field(name: &str, wanted: Option<&Text>) -> May {
    let is = match wanted {
        Some(wanted) => HeaderMatchSpecifier::StringMatch(text(wanted)),
        None => HeaderMatchSpecifier::PresentMatch(true),
    };
    May::Header(HeaderMatcher { name: name.to_owned(), header_match_specifier: Some(is), invert_match: false })
}

fn text(wanted: &Text) -> StringMatcher {
    let pattern = match wanted.clone() {
        Text::Exact(text) => MatchPattern::Exact(text),
        Text::Prefix(text) => MatchPattern::Prefix(text),
        Text::Suffix(text) => MatchPattern::Suffix(text),
        Text::Contains(text) => MatchPattern::Contains(text),
    };
    StringMatcher { match_pattern: Some(pattern), ignore_case: false }
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use wire::envoy::config::listener::v3::filter::ConfigType;

    use super::*;
    use crate::index::authorizations::{Reach, tests::policy};

    fn read(filter: &Filter) -> (i32, Vec<String>) {
        let Some(ConfigType::TypedConfig(config)) = &filter.config_type else { panic!("it has none") };
        let rules = Rbac::decode(&*config.value).unwrap().rules.unwrap();
        (rules.action, rules.policies.into_keys().collect())
    }

    #[test]
    fn each_action_has_a_filter_and_each_rule_a_name() {
        let rule = || Rule { who: Tree::All(Vec::new()), what: Tree::All(Vec::new()) };
        let of = |name: &str, action, rules| policy("shop", name, action, Reach::Everything, rules);
        let policies = [
            of("a", Action::Allow, Vec::new()),
            of("b", Action::Deny, vec![rule(), rule()]),
            of("c", Action::Deny, vec![rule()]),
        ];
        let filters = filters(&policies.iter().collect::<Vec<_>>());
        let read: Vec<_> = filters.iter().map(read).collect();
        assert_eq!(read[0], (rbac::Action::Deny.into(), ["shop/b[0]", "shop/b[1]", "shop/c[0]"].map(str::to_owned).to_vec()));
        assert_eq!(read[1..], [(rbac::Action::Allow.into(), Vec::new())]);
        assert!(super::filters(&[]).is_empty());
    }
}
