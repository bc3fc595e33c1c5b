//! Who may do what at one of our own ports, from the configuration of Envoy's RBAC filter.

use http::HeaderName;
use prost::Message;
use wire::{
    envoy::{
        config::{
            core::v3::{CidrRange, TypedExtensionConfig},
            listener::v3::{FilterChain, filter::ConfigType},
            rbac::v3::{Permission, Policy, Principal, permission::Rule as May, principal::Identifier, rbac::Action},
            route::v3::{HeaderMatcher, header_matcher::HeaderMatchSpecifier},
        },
        extensions::{filters::http::rbac::v3::Rbac, path::r#match::uri_template::v3::UriTemplateMatchConfig},
        r#type::matcher::v3::{PathMatcher, StringMatcher, path_matcher, string_matcher::MatchPattern},
    },
    names,
};

use crate::snapshot::{Authorization, Block, PathText, Piece, Rule, Text, Tree, What, Who};

/// What the filters of `chain` say; `None` where there are none of the kind.
///
/// # Errors
/// What in them cannot be read: nobody may be let past that.
pub(super) fn of(chain: &FilterChain) -> Result<Option<Authorization>, String> {
    let filters = chain.filters.iter().filter_map(|filter| match &filter.config_type {
        Some(ConfigType::TypedConfig(config)) if config.type_url == names::RBAC => Some(config),
        _ => None,
    });
    let mut said: Option<Authorization> = None;
    for config in filters {
        let filter =
            Rbac::decode(&*config.value).map_err(|error| format!("what it says of who may call cannot be read: {error}"))?;
        let rules = filter.rules.ok_or("an RBAC filter has no rules")?;
        let action = Action::try_from(rules.action).map_err(|_| format!("{} is no action of an RBAC filter", rules.action))?;
        let read = rules.policies.iter().map(|(name, policy)| rule(name, policy)).collect::<Result<Vec<_>, _>>()?;
        let said = said.get_or_insert_default();
        match action {
            Action::Deny => said.deny.extend(read),
            Action::Allow => said.allow.get_or_insert_default().extend(read),
            Action::Log => said.audit.extend(read),
        }
    }
    let proof = names::metadata_text(chain.metadata.as_ref(), names::PROOF).is_some();
    Ok(said.map(|said| Authorization { proof, ..said }))
}

fn rule(name: &str, Policy { permissions, principals }: &Policy) -> Result<Rule, String> {
    let wrong = |why: String| format!("rule {name}: {why}");
    Ok(Rule {
        name: name.into(),
        who: Tree::Any(principals.iter().map(who).collect::<Result<_, _>>().map_err(wrong)?),
        what: Tree::Any(permissions.iter().map(what).collect::<Result<_, _>>().map_err(wrong)?),
    })
}

fn always<T>(holds: bool) -> Tree<T> {
    if holds { Tree::All(Vec::new()) } else { Tree::Any(Vec::new()) }
}

fn who(principal: &Principal) -> Result<Tree<Who>, String> {
    let all = |principals: &[Principal]| principals.iter().map(who).collect::<Result<Vec<_>, _>>();
    Ok(match principal.identifier.as_ref().ok_or("a principal is of a kind that is not known")? {
        Identifier::Any(holds) => always(*holds),
        Identifier::AndIds(set) => Tree::All(all(&set.ids)?),
        Identifier::OrIds(set) => Tree::Any(all(&set.ids)?),
        Identifier::NotId(other) => Tree::Not(Box::new(who(other)?)),
        Identifier::Authenticated(proved) => Tree::Is(match &proved.principal_name {
            Some(name) => Who::Identity(text(name)?),
            None => Who::Proved,
        }),
        Identifier::DirectRemoteIp(range) => Tree::Is(Who::Source(block(range)?)),
    })
}

fn what(permission: &Permission) -> Result<Tree<What>, String> {
    let all = |permissions: &[Permission]| permissions.iter().map(what).collect::<Result<Vec<_>, _>>();
    Ok(match permission.rule.as_ref().ok_or("a permission is of a kind that is not known")? {
        May::Any(holds) => always(*holds),
        May::AndRules(set) => Tree::All(all(&set.rules)?),
        May::OrRules(set) => Tree::Any(all(&set.rules)?),
        May::NotRule(other) => Tree::Not(Box::new(what(other)?)),
        May::Header(field) => header(field)?,
        May::DestinationPort(port) => {
            let port = u16::try_from(*port).map_err(|_| format!("{port} is no port"))?;
            Tree::Is(What::Port(port))
        }
        May::UrlPath(PathMatcher { rule }) => {
            let Some(path_matcher::Rule::Path(path)) = rule else { return Err("a path is none".into()) };
            Tree::Is(What::Path(PathText::Text(text(path)?)))
        }
        May::UriTemplate(extension) => Tree::Is(What::Path(template(extension)?)),
    })
}

fn header(HeaderMatcher { name, header_match_specifier, invert_match }: &HeaderMatcher) -> Result<Tree<What>, String> {
    let value = match header_match_specifier {
        Some(HeaderMatchSpecifier::StringMatch(wanted)) => Some(text(wanted)?),
        Some(HeaderMatchSpecifier::PresentMatch(true)) => None,
        _ => return Err(format!("it does not say what of the field {name} is meant")),
    };
    let condition = match (name.as_str(), value) {
        (":method", Some(wanted)) => What::Method(wanted),
        (":authority", Some(wanted)) => What::Host(wanted),
        (name, wanted) => {
            let name = HeaderName::try_from(name).map_err(|_| format!("`{name}` is not the name of a header field"))?;
            What::Header(name, wanted)
        }
    };
    let condition = Tree::Is(condition);
    Ok(if *invert_match { Tree::Not(Box::new(condition)) } else { condition })
}

fn text(StringMatcher { match_pattern, ignore_case }: &StringMatcher) -> Result<Text, String> {
    match match_pattern {
        _ if *ignore_case => Err("it passes over the case of letters".into()),
        Some(MatchPattern::Exact(text)) => Ok(Text::Exact(text.as_str().into())),
        Some(MatchPattern::Prefix(text)) => Ok(Text::Prefix(text.as_str().into())),
        Some(MatchPattern::Suffix(text)) => Ok(Text::Suffix(text.as_str().into())),
        Some(MatchPattern::Contains(text)) => Ok(Text::Contains(text.as_str().into())),
        Some(MatchPattern::SafeRegex(_)) => Err("regular expressions do not count there".into()),
        None => Err("it says no text".into()),
    }
}

/// `*` stands for a segment, and `**` for anything. Source: Envoy's `UriTemplateMatchConfig`.
fn template(extension: &TypedExtensionConfig) -> Result<PathText, String> {
    let config = extension.typed_config.as_ref().filter(|config| config.type_url == names::URI_TEMPLATE);
    let config = config.ok_or("a path is told in a way that is not known")?;
    let template =
        UriTemplateMatchConfig::decode(&*config.value).map_err(|error| format!("a template cannot be read: {error}"))?;
    let template = template.path_template;
    let mut pieces = Vec::new();
    let mut exact = String::new();
    for (number, segment) in template.split('/').enumerate() {
        if number > 0 {
            exact.push('/');
        }
        let piece = match segment {
            "*" => Piece::Segment,
            "**" => Piece::Rest,
            other => {
                exact.push_str(other);
                continue;
            }
        };
        if !exact.is_empty() {
            pieces.push(Piece::Exact(std::mem::take(&mut exact).into()));
        }
        pieces.push(piece);
    }
    if !exact.is_empty() {
        pieces.push(Piece::Exact(exact.into()));
    }
    if pieces.iter().filter(|piece| **piece == Piece::Rest).count() > 1 {
        return Err(format!("the template {template} has more than one `**`"));
    }
    Ok(PathText::Template(pieces))
}

fn block(CidrRange { address_prefix, prefix_len }: &CidrRange) -> Result<Block, String> {
    let address: std::net::IpAddr = address_prefix.parse().map_err(|_| format!("`{address_prefix}` is not an address"))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = prefix_len.unwrap_or_default();
    match u8::try_from(bits) {
        Ok(bits) if bits <= most => Ok(Block { address, bits }),
        _ => Err(format!("{address} has no {bits} bits")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use wire::envoy::config::{
        listener::v3::Filter,
        rbac::v3::{Rbac as Rules, permission, principal},
    };

    use super::*;

    fn chain(action: Action, policy: Policy) -> FilterChain {
        let rules = Rules { action: action.into(), policies: BTreeMap::from([(String::from("shop/a[0]"), policy)]) };
        let config = prost_types::Any { type_url: names::RBAC.into(), value: Rbac { rules: Some(rules) }.encode_to_vec() };
        let filter = Filter { name: names::RBAC_FILTER.into(), config_type: Some(ConfigType::TypedConfig(config)) };
        FilterChain { filters: vec![filter], ..Default::default() }
    }

    fn may(rule: May) -> Permission {
        Permission { rule: Some(rule) }
    }

    fn anybody() -> Vec<Principal> {
        vec![Principal { identifier: Some(Identifier::Any(true)) }]
    }

    fn read(rule: May) -> Result<Tree<What>, String> {
        let chain = chain(Action::Deny, Policy { permissions: vec![may(rule)], principals: anybody() });
        of(&chain).map(|said| said.unwrap().deny[0].what.clone())
    }

    fn exactly(text: &str) -> StringMatcher {
        StringMatcher { match_pattern: Some(MatchPattern::Exact(text.into())), ignore_case: false }
    }

    fn field(name: &str, text: &str) -> HeaderMatcher {
        let is = Some(HeaderMatchSpecifier::StringMatch(exactly(text)));
        HeaderMatcher { name: name.into(), header_match_specifier: is, invert_match: false }
    }

    #[test]
    fn each_action_has_its_rules_and_no_filter_means_no_policy() {
        assert!(of(&FilterChain::default()).unwrap().is_none());
        let policy = || Policy { permissions: vec![may(May::Any(true))], principals: anybody() };
        let counts = |action| {
            let said = of(&chain(action, policy())).unwrap().unwrap();
            (said.deny.len(), said.allow.map(|rules| rules.len()), said.audit.len())
        };
        assert_eq!([Action::Deny, Action::Allow, Action::Log].map(counts), [(1, None, 0), (0, Some(1), 0), (0, None, 1)]);
    }

    #[test]
    fn requests_are_told_by_their_fields() {
        let condition = |name| match read(May::Header(field(name, "x"))).unwrap() {
            Tree::Any(all) => format!("{:?}", all[0]),
            other => panic!("{other:?}"),
        };
        assert!(condition(":method").contains("Method") && condition(":authority").contains("Host"));
        assert!(condition("x-role").contains("Header(\"x-role\""));
        assert!(read(May::Header(field("not a name", "x"))).is_err());
    }

    #[test]
    fn templates_are_taken_apart() {
        let read = |template: &str| {
            let value = UriTemplateMatchConfig { path_template: template.into() }.encode_to_vec();
            let config = prost_types::Any { type_url: names::URI_TEMPLATE.into(), value };
            super::template(&TypedExtensionConfig { name: String::new(), typed_config: Some(config) })
        };
        let exact = |text: &str| Piece::Exact(text.into());
        assert_eq!(
            read("/cart/*/items/**").unwrap(),
            PathText::Template(vec![exact("/cart/"), Piece::Segment, exact("/items/"), Piece::Rest])
        );
        assert_eq!(read("/a").unwrap(), PathText::Template(vec![exact("/a")]));
        assert!(read("/**/a/**").unwrap_err().contains("more than one"));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let principal =
            |identifier| Policy { permissions: vec![may(May::Any(true))], principals: vec![Principal { identifier }] };
        let range = |address: &str, bits| {
            Some(Identifier::DirectRemoteIp(CidrRange { address_prefix: address.into(), prefix_len: Some(bits) }))
        };
        for identifier in [None, range("nowhere", 1), range("10.0.0.0", 33)] {
            assert!(of(&chain(Action::Allow, principal(identifier))).is_err());
        }
        let nested = Some(Identifier::OrIds(principal::Set { ids: vec![Principal::default()] }));
        assert!(of(&chain(Action::Allow, principal(nested))).is_err());
        let odd = StringMatcher { ignore_case: true, ..exactly("/a") };
        let path = PathMatcher { rule: Some(path_matcher::Rule::Path(odd)) };
        assert!(read(May::AndRules(permission::Set { rules: vec![may(May::UrlPath(path))] })).is_err());
        assert!(read(May::DestinationPort(65_536)).is_err());
    }
}
