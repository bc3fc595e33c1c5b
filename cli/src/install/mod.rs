//! `weft install` and `weft uninstall`: what a cluster needs, as manifests.
//!
//! They are printed, for kubectl or for a repository, or applied: nothing in them is random or depends on a cluster, so that applying
//! them again changes nothing. What the API server would fill in where fields are replaced as a whole is written out, so that whoever applies
//! them second finds what the first one wrote.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use control::install::{Applying, Removing};

use crate::args::{Amounts, InstallArgs, UninstallArgs};

const MANIFESTS: &str = include_str!("weft.yaml");

/// The kinds of our own: the chart of them is these files, with nothing to be filled in.
const KINDS: [&str; 3] = [
    include_str!("../../../deploy/chart-crds/templates/authorizationpolicies.yaml"),
    include_str!("../../../deploy/chart-crds/templates/peerauthentications.yaml"),
    include_str!("../../../deploy/chart-crds/templates/trafficpolicies.yaml"),
];

/// What is given cannot be used.
const MISTAKE: u8 = 2;

pub(crate) fn install(args: &InstallArgs) -> ExitCode {
    match manifests(args) {
        Ok(manifests) if args.apply => {
            let InstallArgs { namespace, force_conflicts, .. } = args;
            return control::install::apply(Applying { manifests: &manifests, namespace, force: *force_conflicts });
        }
        // Who reads it may have gone: there is nobody to be told.
        Ok(manifests) => drop(io::stdout().write_all(manifests.as_bytes())),
        Err(mistakes) => {
            eprintln!("weft: this cannot be installed:\n  {}", mistakes.join("\n  "));
            return ExitCode::from(MISTAKE);
        }
    }
    ExitCode::SUCCESS
}

pub(crate) fn uninstall(args: &UninstallArgs) -> ExitCode {
    let UninstallArgs { namespace, force } = args;
    if !is_label(namespace) {
        eprintln!("weft: --namespace: `{namespace}` cannot be one");
        return ExitCode::from(MISTAKE);
    }
    // Of what is removed names alone count, and the namespace is in them.
    let manifests = together(&KINDS, MANIFESTS).replace("${NAMESPACE}", namespace);
    control::install::remove(Removing { manifests: &manifests, namespace, force: *force })
}

fn manifests(args: &InstallArgs) -> Result<String, Vec<String>> {
    let InstallArgs { namespace, image, pull_policy, trust_domain, replicas, default_policy, amounts, skip_crds, .. } = args;
    let Amounts { proxy_cpu_request, proxy_memory_request, proxy_memory_limit } = amounts;
    let is_amount = |text: &str| inject::quantity(text).is_ok();
    let image = image.clone().unwrap_or_else(|| inject::Settings::default().image);
    let replicas = replicas.to_string();
    let values = [
        ("NAMESPACE", namespace.as_str(), is_label(namespace)),
        ("IMAGE", &image, is_plain(&image)),
        ("PULL_POLICY", pull_policy, ["Always", "IfNotPresent", "Never"].contains(&pull_policy.as_str())),
        ("TRUST_DOMAIN", trust_domain, trust_domain.parse::<certs::name::TrustDomain>().is_ok()),
        ("REPLICAS", &replicas, true),
        ("DEFAULT_POLICY", default_policy, inject::policy(default_policy).is_ok()),
        ("PROXY_CPU_REQUEST", proxy_cpu_request, is_amount(proxy_cpu_request)),
        ("PROXY_MEMORY_REQUEST", proxy_memory_request, is_amount(proxy_memory_request)),
        ("PROXY_MEMORY_LIMIT", proxy_memory_limit, is_amount(proxy_memory_limit)),
        ("VERSION", env!("CARGO_PKG_VERSION"), true),
    ];
    let mistakes: Vec<String> = values
        .iter()
        .filter(|(.., good)| !good)
        .map(|(name, value, _)| format!("--{}: `{value}` cannot be one", name.to_lowercase().replace('_', "-")))
        .collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let kinds = if *skip_crds { &[][..] } else { &KINDS };
    Ok(values.iter().fold(together(kinds, MANIFESTS), |text, (name, value, _)| text.replace(&format!("${{{name}}}"), value)))
}

/// One stream of documents.
fn together(kinds: &[&str], manifests: &str) -> String {
    kinds.iter().map(|kind| format!("{kind}---\n")).collect::<String>() + manifests
}

/// A name as Kubernetes has them (RFC 1123): what stands in a manifest is not YAML of somebody's own.
fn is_label(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_plain(image: &str) -> bool {
    !image.is_empty() && image.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        install: InstallArgs,
    }

    fn printed(flags: &[&str]) -> Result<String, Vec<String>> {
        manifests(&Program::parse_from([&["install"], flags].concat()).install)
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        let text = printed(&[]).unwrap();
        assert!(!text.contains("${"), "{text}");
        assert_eq!(text, printed(&[]).unwrap());
        let without = printed(&["--skip-crds"]).unwrap();
        assert!(text.contains("kind: CustomResourceDefinition") && !without.contains("kind: CustomResourceDefinition"));
        assert!(text.ends_with(&without));
    }

    #[test]
    fn everything_that_cannot_be_is_named() {
        let wrong = [
            ["--namespace", "A"],
            ["--image", "a b"],
            ["--pull-policy", "Maybe"],
            ["--trust-domain", "X Y"],
            ["--default-policy", "perhaps"],
            ["--proxy-cpu-request", "much"],
        ];
        let mistakes = printed(wrong.as_flattened()).unwrap_err();
        assert_eq!(mistakes.len(), wrong.len(), "{mistakes:?}");
    }
}
