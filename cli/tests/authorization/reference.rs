//! Who may, straight from the text of docs/operating/policies.md: slow, and with nothing made ready beforehand.
//!
//! What is not known is `None`.

use std::{collections::BTreeSet, net::IpAddr};

use control::manifest::authorization::{AuthorizationPolicy, Operation, Rule, Source, When};

use crate::draw::{Asked, Wanted, World};

type Known = Option<bool>;

/// Whether the pod `cart` of the namespace `shop` may be asked.
pub(crate) fn may(world: &World, asked: &Asked) -> bool {
    let about: Vec<&AuthorizationPolicy> = world.policies.iter().filter(|policy| is_about_cart(policy)).collect();
    let of = |action: &str| about.iter().filter(|policy| policy.spec.action == action).copied().collect::<Vec<_>>();
    let is_about =
        |policy: &&AuthorizationPolicy| any(policy.spec.rules.iter().map(|rule| self::rule(rule, namespace(policy), asked)));
    if of("DENY").iter().any(|policy| is_about(policy) != Some(false)) {
        return false;
    }
    let allowing = of("ALLOW");
    // The default policy of this mesh lets everybody in.
    allowing.is_empty() || allowing.iter().any(|policy| is_about(policy) == Some(true))
}

fn namespace(policy: &AuthorizationPolicy) -> &str {
    policy.metadata.namespace.as_deref().expect("each is drawn with one")
}

fn is_about_cart(policy: &AuthorizationPolicy) -> bool {
    let app = policy.spec.selector.as_ref().map(|selector| selector.match_labels["app"].as_str());
    matches!(namespace(policy), "shop" | "weft-system") && matches!(app, None | Some("cart"))
}

fn any(all: impl Iterator<Item = Known>) -> Known {
    let all: Vec<Known> = all.collect();
    if all.contains(&Some(true)) {
        Some(true)
    } else if all.contains(&None) {
        None
    } else {
        Some(false)
    }
}

fn each(all: impl Iterator<Item = Known>) -> Known {
    not(any(all.map(not)))
}

fn not(one: Known) -> Known {
    one.map(|holds| !holds)
}

fn rule(rule: &Rule, namespace: &str, asked: &Asked) -> Known {
    let from = any(rule.from.iter().map(|from| source(&from.source, namespace, asked)));
    let to = any(rule.to.iter().map(|to| operation(&to.operation, asked)));
    let from = if rule.from.is_empty() { Some(true) } else { from };
    let to = if rule.to.is_empty() { Some(true) } else { to };
    let when = rule.when.iter().map(|when| self::when(when, asked));
    each([from, to].into_iter().chain(when))
}

/// One of `values`, and none of `others`; where nothing is said, so it is.
fn lists(values: &[String], others: &[String], is: &dyn Fn(&str) -> Known) -> Known {
    let one = if values.is_empty() { Some(true) } else { any(values.iter().map(|value| is(value))) };
    let other = any(others.iter().map(|value| is(value)));
    each([one, not(other)].into_iter())
}

fn source(source: &Source, namespace: &str, asked: &Asked) -> Known {
    each(
        [
            lists(&source.principals, &source.not_principals, &|value| principal(value, asked)),
            lists(&source.namespaces, &source.not_namespaces, &|value| part(value, 2, asked)),
            lists(&source.service_accounts, &source.not_service_accounts, &|value| account(value, namespace, asked)),
            lists(&source.trust_domains, &source.not_trust_domains, &|value| part(value, 0, asked)),
            lists(&source.ip_blocks, &source.not_ip_blocks, &|value| block(value, asked)),
        ]
        .into_iter(),
    )
}

fn operation(operation: &Operation, asked: &Asked) -> Known {
    each(
        [
            lists(&operation.hosts, &operation.not_hosts, &|value| of_request(asked, |wanted| host(value, wanted))),
            lists(&operation.ports, &operation.not_ports, &|value| Some(value == asked.port.to_string())),
            lists(&operation.methods, &operation.not_methods, &|value| {
                of_request(asked, |wanted| Some(glob(value, wanted.method)))
            }),
            lists(&operation.paths, &operation.not_paths, &|value| of_request(asked, |wanted| path(value, wanted))),
            lists(&operation.grpc, &operation.not_grpc, &|value| {
                let value = if value.contains('/') { format!("/{value}") } else { format!("/{value}/*") };
                of_request(asked, |wanted| path(&value, wanted))
            }),
        ]
        .into_iter(),
    )
}

fn when(when: &When, asked: &Asked) -> Known {
    lists(&when.values, &when.not_values, &|value| match when.key.as_str() {
        "source.ip" => block(value, asked),
        "source.namespace" => part(value, 2, asked),
        "destination.port" => Some(value == asked.port.to_string()),
        "request.headers[X-A]" => of_request(asked, |wanted| field(value, wanted)),
        other => panic!("{other} is not drawn"),
    })
}

fn of_request(asked: &Asked, is: impl Fn(&Wanted) -> Known) -> Known {
    asked.request.as_ref().and_then(is)
}

/// `*` for all, or at one end.
fn glob(value: &str, text: &str) -> bool {
    match (value.strip_prefix('*'), value.strip_suffix('*')) {
        (Some(suffix), _) => text.ends_with(suffix),
        (_, Some(prefix)) => text.starts_with(prefix),
        _ => text == value,
    }
}

/// Whether an identity is proved is known; which one it is, only of one that is.
fn principal(value: &str, asked: &Asked) -> Known {
    if value == "*" { Some(asked.identity.is_some()) } else { asked.identity.map(|identity| glob(value, identity)) }
}

fn part(value: &str, number: usize, asked: &Asked) -> Known {
    let is = |identity: &str| glob(value, identity.split('/').nth(number).expect("a part"));
    if value == "*" { Some(asked.identity.is_some()) } else { asked.identity.map(is) }
}

fn account(value: &str, namespace: &str, asked: &Asked) -> Known {
    let whole = if value.contains('/') { value.to_owned() } else { format!("{namespace}/{value}") };
    asked.identity.map(|identity| {
        let parts: Vec<&str> = identity.split('/').collect();
        format!("{}/{}", parts[2], parts[4]) == whole
    })
}

fn block(value: &str, asked: &Asked) -> Known {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => format!("4 {:032b}", u32::from(address)),
        IpAddr::V6(address) => format!("6 {:0128b}", u128::from(address)),
    };
    let (address, length) = value.split_once('/').unwrap_or((value, "128"));
    let block = bits(address.parse().expect("an address"));
    let shown = block.len().min(2 + length.parse::<usize>().expect("a number"));
    Some(bits(asked.address.ip()).starts_with(&block[..shown]))
}

fn host(value: &str, wanted: &Wanted) -> Known {
    let asked = wanted.host.to_lowercase();
    Some(glob(&value.to_lowercase(), asked.split(':').next().expect("a part").trim_end_matches('.')))
}

fn field(value: &str, wanted: &Wanted) -> Known {
    if value == "*" || wanted.fields.is_empty() {
        return Some(!wanted.fields.is_empty());
    }
    of_all(wanted.fields.iter().map(|field| Some(glob(value, field))))
}

/// What is so of all, if it is.
fn of_all(all: impl Iterator<Item = Known>) -> Known {
    let all: Vec<Known> = all.collect();
    if all.windows(2).all(|two| two[0] == two[1]) { all.first().copied().flatten() } else { None }
}

fn path(value: &str, asked: &Wanted) -> Known {
    let readings = asked.readings.get_or_init(|| readings(&asked.path)).as_ref()?;
    of_all(readings.iter().map(|reading| {
        let (lower, reading_in_lower) = (value.to_lowercase(), reading.to_lowercase());
        if path_is(value, reading) {
            Some(true)
        } else if path_is(&lower, &reading_in_lower) {
            None
        } else {
            Some(false)
        }
    }))
}

fn path_is(value: &str, reading: &str) -> bool {
    if !value.contains('{') {
        return glob(value, reading);
    }
    let (value, reading): (Vec<&str>, Vec<&str>) = (value.split('/').collect(), reading.split('/').collect());
    segments_are(&value, &reading)
}

fn segments_are(value: &[&str], reading: &[&str]) -> bool {
    match (value, reading) {
        ([], []) => true,
        (["{**}", rest @ ..], _) => (1..=reading.len()).any(|some| segments_are(rest, &reading[some..])),
        (["{*}", rest @ ..], [one, others @ ..]) => !one.is_empty() && segments_are(rest, others),
        ([exact, rest @ ..], [one, others @ ..]) => exact == one && segments_are(rest, others),
        _ => false,
    }
}

/// All of them; `None` if there is none.
fn readings(path: &str) -> Option<BTreeSet<String>> {
    let mut undone = vec![path.to_owned()];
    while let Some(next) = undo(undone.last()?, undone.len() > 1)? {
        if undone.len() == 3 {
            return None;
        }
        undone.push(next);
    }
    let mut all = BTreeSet::new();
    for path in undone {
        for choice in 0..16_u8 {
            let mut path = path.clone();
            if choice & 1 > 0 {
                path = path.replace('\\', "/");
            }
            if choice & 2 > 0 {
                path = path
                    .split('/')
                    .map(|segment| segment.split_once(';').map_or(segment, |(name, _)| name))
                    .collect::<Vec<_>>()
                    .join("/");
            }
            if choice & 4 > 0 {
                while path.contains("//") {
                    path = path.replace("//", "/");
                }
            }
            if choice & 8 > 0 {
                path = walked(&path);
            }
            all.insert(path);
        }
    }
    Some(all)
}

/// With encodings undone once. Within, `None` if there are none, or what looks like one is a percent sign that was encoded before;
/// without, if they cannot be undone.
fn undo(path: &str, again: bool) -> Option<Option<String>> {
    let mut next = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        let code = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let Some(code) = code else { return again.then_some(None) };
        // Others than these are not drawn.
        if !(0x20..0x7f).contains(&code) {
            return None;
        }
        next = next + before + &char::from(code).to_string();
        rest = &after[2..];
    }
    Some((rest.len() < path.len()).then(|| next + rest))
}

/// Source: RFC 3986, section 5.2.4, which this follows letter by letter.
fn walked(path: &str) -> String {
    let (mut input, mut output) = (path.to_owned(), String::new());
    while !input.is_empty() {
        if input.starts_with("/./") {
            input.replace_range(..2, "");
        } else if input == "/." {
            input = String::from("/");
        } else if input.starts_with("/../") || input == "/.." {
            input = format!("/{}", input.get(4..).unwrap_or_default());
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |at| at + 1);
            output.push_str(&input[..end]);
            input.replace_range(..end, "");
        }
    }
    output
}
