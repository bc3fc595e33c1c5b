//! Reads rules, and takes down what in them means nothing.

use super::values::{self, Read};
use crate::{
    index::authorizations::{Rule, Tree, What, Who},
    manifest::authorization::{self as written, Operation, Source, Unknown, When},
    watch::mistake::Mistake,
};

/// The name of a list, its values, those of the one that begins with `not`, and what one means.
type Lists<'a, T> = (&'a str, &'a [String], &'a [String], &'a dyn Fn(&str) -> Read<T>);

/// What has been read so far.
pub(super) struct Reading<'a> {
    /// Of the policy.
    namespace: &'a str,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(namespace: &'a str) -> Self {
        Self { namespace, mistakes: Vec::new() }
    }

    pub(super) fn wrong(&mut self, field: &str, what: impl Into<String>) {
        self.mistakes.push(Mistake { field: field.to_owned(), what: what.into() });
    }

    pub(super) fn unknown(&mut self, field: &str, unknown: &Unknown) {
        for name in unknown.keys() {
            self.wrong(&format!("{field}.{name}"), "is not known here, and so nobody is let in by it");
        }
    }

    /// What a rule says, and whether all of it means something: what does not is left out, as if it held.
    pub(super) fn rule(&mut self, field: &str, rule: &written::Rule) -> (Rule, bool) {
        let before = self.mistakes.len();
        self.unknown(field, &rule.unknown);
        let mut who = Vec::new();
        let mut what = Vec::new();
        if !rule.from.is_empty() {
            let sources = rule.from.iter().enumerate().map(|(number, from)| {
                let field = format!("{field}.from[{number}]");
                self.unknown(&field, &from.unknown);
                self.source(&format!("{field}.source"), &from.source)
            });
            who.push(Tree::Any(sources.collect()));
        }
        if !rule.to.is_empty() {
            let operations = rule.to.iter().enumerate().map(|(number, to)| {
                let field = format!("{field}.to[{number}]");
                self.unknown(&field, &to.unknown);
                self.operation(&format!("{field}.operation"), &to.operation)
            });
            what.push(Tree::Any(operations.collect()));
        }
        for (number, when) in rule.when.iter().enumerate() {
            self.when(&format!("{field}.when[{number}]"), when, &mut who, &mut what);
        }
        (Rule { who: Tree::All(who), what: Tree::All(what) }, self.mistakes.len() == before)
    }

    fn source(&mut self, field: &str, source: &Source) -> Tree<Who> {
        self.unknown(field, &source.unknown);
        let namespace = self.namespace;
        let account = |value: &str| values::service_account(value, namespace);
        self.all(
            field,
            [
                ("principals", &source.principals, &source.not_principals, &values::principal as &dyn Fn(&str) -> Read<Who>),
                ("namespaces", &source.namespaces, &source.not_namespaces, &values::namespace),
                ("serviceAccounts", &source.service_accounts, &source.not_service_accounts, &account),
                ("trustDomains", &source.trust_domains, &source.not_trust_domains, &values::trust_domain),
                ("ipBlocks", &source.ip_blocks, &source.not_ip_blocks, &values::block),
            ],
        )
    }

    fn operation(&mut self, field: &str, operation: &Operation) -> Tree<What> {
        self.unknown(field, &operation.unknown);
        self.all(
            field,
            [
                ("hosts", &operation.hosts, &operation.not_hosts, &values::host as &dyn Fn(&str) -> Read<What>),
                ("ports", &operation.ports, &operation.not_ports, &values::port),
                ("methods", &operation.methods, &operation.not_methods, &values::method),
                ("paths", &operation.paths, &operation.not_paths, &values::path),
                ("grpc", &operation.grpc, &operation.not_grpc, &values::grpc),
            ],
        )
    }

    fn when(&mut self, field: &str, when: &When, who: &mut Vec<Tree<Who>>, what: &mut Vec<Tree<What>>) {
        self.unknown(field, &when.unknown);
        let key = when.key.as_str();
        let lists = (when.values.as_slice(), when.not_values.as_slice());
        let header = key.strip_prefix("request.headers[").and_then(|rest| rest.strip_suffix(']'));
        match (key, header) {
            ("source.ip", _) => who.push(self.condition(field, lists, &values::block)),
            ("source.namespace", _) => who.push(self.condition(field, lists, &values::namespace)),
            ("source.principal", _) => who.push(self.condition(field, lists, &values::principal)),
            ("destination.port", _) => what.push(self.condition(field, lists, &values::port)),
            (_, Some(name)) => match http::HeaderName::try_from(name) {
                Ok(http::header::HOST) => self.wrong(&format!("{field}.key"), "hosts are said in to.operation.hosts"),
                Ok(name) => what.push(self.condition(field, lists, &|value| values::header(name.as_str(), value))),
                Err(_) => self.wrong(&format!("{field}.key"), format!("`{name}` is not the name of a header field")),
            },
            _ => {
                let known = "source.ip, source.namespace, source.principal, destination.port and request.headers[NAME]";
                self.wrong(&format!("{field}.key"), format!("`{key}` is not known here: expected one of {known}"));
            }
        }
    }

    /// What `values` or `notValues` say.
    fn condition<T>(&mut self, field: &str, (values, others): (&[String], &[String]), read: &dyn Fn(&str) -> Read<T>) -> Tree<T> {
        self.all(field, [("values", values, others, read)])
    }

    /// All that the lists say, each with the one of the same name that begins with `not`.
    fn all<T, const N: usize>(&mut self, field: &str, lists: [Lists<'_, T>; N]) -> Tree<T> {
        if lists.iter().all(|(_, values, others, _)| values.is_empty() && others.is_empty()) {
            self.wrong(field, "says nothing: leave it out where all are meant");
        }
        let mut all = Vec::new();
        for (name, values, others, read) in lists {
            all.extend(self.list(&format!("{field}.{name}"), values, read));
            let (first, rest) = name.split_at(1);
            let not = format!("{field}.not{}{rest}", first.to_ascii_uppercase());
            all.extend(self.list(&not, others, read).map(|tree| Tree::Not(Box::new(tree))));
        }
        Tree::All(all)
    }

    /// One of `values`; `None` where there are none, or one means nothing.
    fn list<T>(&mut self, field: &str, values: &[String], read: &dyn Fn(&str) -> Read<T>) -> Option<Tree<T>> {
        let before = self.mistakes.len();
        let mut any = Vec::new();
        for (number, value) in values.iter().enumerate() {
            match read(value) {
                Ok(condition) => any.push(condition),
                Err(what) => self.wrong(&format!("{field}[{number}]"), what),
            }
        }
        (!any.is_empty() && self.mistakes.len() == before).then_some(Tree::Any(any))
    }
}
