//! Who is let in and who is kept out, where something cannot be known.

use http::Request;

use super::*;
use crate::snapshot::{Block, PathText, Text, Tree, What, Who};

fn caller(identity: Option<&str>) -> Caller {
    Caller { address: "10.77.0.9:40000".parse().unwrap(), identity: identity.map(|account| account.parse().unwrap()) }
}

const WEB: &str = "spiffe://cluster.local/ns/shop/sa/web";
const TILL: &str = "spiffe://cluster.local/ns/shop/sa/till";

fn about(who: Tree<Who>, what: Tree<What>) -> Rule {
    Rule { name: "shop/rule[0]".into(), who, what }
}

fn anybody() -> Tree<Who> {
    Tree::All(vec![])
}

fn anything() -> Tree<What> {
    Tree::All(vec![])
}

fn web() -> Tree<Who> {
    Tree::Is(Who::Identity(Text::Exact(WEB.into())))
}

fn below(prefix: &str) -> Tree<What> {
    Tree::Is(What::Path(PathText::Text(Text::Prefix(prefix.into()))))
}

fn denying(rule: Rule) -> Authorization {
    Authorization { deny: vec![rule], ..Authorization::default() }
}

fn allowing(rule: Rule) -> Authorization {
    Authorization { allow: Some(vec![rule]), ..Authorization::default() }
}

/// Lets in who asks for what is public.
pub(super) fn public() -> Authorization {
    allowing(about(anybody(), below("/public/")))
}

/// Keeps out who asks for what only admins may.
pub(super) fn admin() -> Authorization {
    denying(about(anybody(), below("/admin")))
}

/// Whether `identity` may ask for `uri`.
pub(super) fn may(authorization: &Authorization, identity: Option<&str>, uri: &str) -> bool {
    let request = Request::get(uri).header("host", "cart.shop").body(()).unwrap();
    matches!(decide(authorization, &caller(identity), 80, Some(Asked::of(&request))), Ruling::Let { .. })
}

#[test]
fn who_has_proved_nothing_is_not_told_apart_from_whoever_is_denied() {
    let denied = denying(about(web(), anything()));
    assert_eq!([Some(WEB), Some(TILL), None].map(|who| may(&denied, who, "/")), [false, true, false]);
    let allowed = allowing(about(web(), anything()));
    assert_eq!([Some(WEB), Some(TILL), None].map(|who| may(&allowed, who, "/")), [true, false, false]);
    let all_but = allowing(about(Tree::Not(Box::new(web())), anything()));
    assert_eq!([Some(WEB), Some(TILL), None].map(|who| may(&all_but, who, "/")), [false, true, false]);
    let unproved = denying(about(Tree::Not(Box::new(Tree::Is(Who::Proved))), anything()));
    assert_eq!([Some(WEB), None].map(|who| may(&unproved, who, "/")), [true, false]);
}

#[test]
fn a_path_lets_in_only_if_every_reading_does_and_keeps_out_if_any_does() {
    let (public, admin) = (public(), admin());
    for (path, is_public, is_admin) in [
        ("/public/a", true, false),
        ("/admin", false, true),
        ("/public/a%2fb", true, false),
        ("/public//a", true, false),
        ("/public/a;x=1", true, false),
        ("/public/%C3%A9", true, false),
        ("/public/%e9", true, false),
        ("/Public/a", false, false),
    ] {
        assert_eq!((may(&public, None, path), !may(&admin, None, path)), (is_public, is_admin), "{path}");
    }
}

#[test]
fn of_a_connection_nobody_knows_what_is_asked() {
    let of_connection =
        |authorization: &Authorization| matches!(decide(authorization, &caller(Some(WEB)), 80, None), Ruling::Let { .. });
    assert!(!of_connection(&denying(about(web(), below("/admin")))));
    assert!(!of_connection(&allowing(about(web(), below("/public")))));
    assert!(of_connection(&allowing(about(web(), Tree::Is(What::Port(80))))));
    assert!(of_connection(&denying(about(anybody(), Tree::All(vec![below("/"), Tree::Is(What::Port(81))])))));
}

#[test]
fn two_values_of_a_field_are_two_readings() {
    let name = http::HeaderName::from_static("x-role");
    let condition = || Tree::Is(What::Header(name.clone(), Some(Text::Exact("guest".into()))));
    let asked = |values: &[&str], authorization: &Authorization| {
        let request = values.iter().fold(Request::get("/"), |request, value| request.header(&name, *value));
        let request = request.body(()).unwrap();
        matches!(decide(authorization, &caller(None), 80, Some(Asked::of(&request))), Ruling::Let { .. })
    };
    let (allow, deny) = (allowing(about(anybody(), condition())), denying(about(anybody(), condition())));
    for (values, is_let, is_kept) in
        [(&["guest"][..], true, true), (&["admin"], false, false), (&["guest", "admin"], false, true), (&[], false, false)]
    {
        assert_eq!((asked(values, &allow), !asked(values, &deny)), (is_let, is_kept), "{values:?}");
    }
}

#[test]
fn hosts_are_compared_without_case_port_and_final_dot() {
    let cart = denying(about(anybody(), Tree::Is(What::Host(Text::Exact("cart.shop".into())))));
    let named = |host: &str| {
        let request = Request::get("/").header("host", host).body(()).unwrap();
        matches!(decide(&cart, &caller(None), 80, Some(Asked::of(&request))), Ruling::Kept(_))
    };
    assert!(["cart.shop", "CART.shop", "cart.shop:80", "cart.shop.", "cart.shop.:8080"].into_iter().all(named));
    assert!(!named("till.shop") && named("what is this"));
}

#[test]
fn rules_that_audit_let_in_and_are_told() {
    let block = Block { address: "10.77.0.0".parse().unwrap(), bits: 16 };
    let rule_of = |name: &str| Rule { name: name.into(), ..about(Tree::Is(Who::Source(block)), below("/a")) };
    let authorization = Authorization { audit: vec![rule_of("one"), rule_of("two")], ..Authorization::default() };
    let request = Request::get("/a").body(()).unwrap();
    let ruling = decide(&authorization, &caller(None), 80, Some(Asked::of(&request)));
    assert_eq!(ruling, Ruling::Let { by_policy: false, audited: vec!["one".into(), "two".into()] });
}
