//! `weft routes`: what is told about the routes and policies in a directory.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use comfy_table::{Table, presets};
use control::verdicts::{self, Condition, ParentVerdict, PolicyVerdict, Verdicts};

use crate::{
    args::{Format, RoutesArgs},
    exit,
};

const HEADER: [&str; 6] = ["OBJECT", "ATTACHED TO", "CONDITION", "STATUS", "REASON", "MESSAGE"];

pub(crate) fn routes(args: &RoutesArgs) -> ExitCode {
    let (mut verdicts, problems) = verdicts::of_directory(&args.directory);
    if let Some(wanted) = &args.namespace {
        verdicts.routes.retain(|route| route.namespace == *wanted);
        verdicts.traffic_policies.retain(|policy| policy.namespace == *wanted);
        verdicts.security_policies.retain(|policy| policy.namespace == *wanted);
    }
    let shown = match args.output {
        Format::Table => table(&verdicts),
        // Texts, numbers and lists of them: there is always a JSON form.
        Format::Json => serde_json::to_string_pretty(&verdicts).unwrap_or_default(),
    };
    // Who reads it may have gone: there is nobody to be told.
    let _ = writeln!(io::stdout(), "{shown}");
    for problem in &problems {
        eprintln!("weft: {problem}");
    }
    if !problems.is_empty() {
        ExitCode::from(exit::MISTAKE)
    } else if conditions(&verdicts).all(Condition::is_good) {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(exit::FAILED)
    }
}

fn conditions(verdicts: &Verdicts) -> impl Iterator<Item = &Condition> {
    let of_routes = verdicts.routes.iter().flat_map(|route| &route.parents).flat_map(|parent| &parent.conditions);
    let of_policies = policies(verdicts).flat_map(|policy| &policy.targets).flat_map(|target| &target.conditions);
    of_routes.chain(of_policies)
}

fn policies(verdicts: &Verdicts) -> impl Iterator<Item = &PolicyVerdict> {
    verdicts.traffic_policies.iter().chain(&verdicts.security_policies)
}

fn table(verdicts: &Verdicts) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(HEADER);
    for route in &verdicts.routes {
        let object = format!("{} {}/{}", route.kind, route.namespace, route.name);
        if route.parents.is_empty() {
            table.add_row([object.as_str(), "-", "", "", "", "no parent is a Service: the mesh has no part in it"]);
        }
        for parent in &route.parents {
            add(&mut table, &object, &attached(parent), &parent.conditions);
        }
    }
    for policy in policies(verdicts) {
        let object = format!("{} {}/{}", policy.kind, policy.namespace, policy.name);
        for target in &policy.targets {
            add(&mut table, &object, &target.target, &target.conditions);
        }
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn add(table: &mut Table, object: &str, attached: &str, conditions: &[Condition]) {
    for Condition { r#type, status, reason, message } in conditions {
        table.add_row([object, attached, r#type, status, reason, message]);
    }
}

fn attached(parent: &ParentVerdict) -> String {
    let port = parent.port.map(|port| format!(", port {port}")).unwrap_or_default();
    let name = parent.section_name.as_ref().map(|name| format!(", port {name}")).unwrap_or_default();
    format!("Service {}{port}{name}", parent.service)
}
