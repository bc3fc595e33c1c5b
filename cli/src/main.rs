//! `weft`: what people type.
//!
//! One program is all of the mesh: started under another name, or with a hidden verb, it is the sidecar, the control
//! component or one of the processes behind `weft up` (see `processes`).

mod args;
mod clock;
mod demo;
mod engine;
mod exit;
mod inject;
mod install;
mod processes;
mod rendezvous;
mod routes;
mod run;
mod up;

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::ExitCode,
};

use clap::Parser;

use args::{Arguments, Verb};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let name = arguments.first().and_then(|name| Path::new(name).file_name()).and_then(OsStr::to_str);
    let verb = arguments.get(1).and_then(|verb| verb.to_str());
    match (name, verb) {
        (Some("weft-proxy"), _) => proxy::run(arguments),
        (Some("weft-control"), _) => control::run(arguments),
        (_, Some("proxy")) => proxy::run(without_verb("weft-proxy", arguments)),
        (_, Some("control")) => control::run(without_verb("weft-control", arguments)),
        (_, Some(verb)) if verb.starts_with("__") => processes::run(verb, &arguments[2..]),
        _ => typed(),
    }
}

fn without_verb(name: &str, arguments: Vec<OsString>) -> Vec<OsString> {
    [OsString::from(name)].into_iter().chain(arguments.into_iter().skip(2)).collect()
}

fn typed() -> ExitCode {
    match Arguments::parse().verb {
        Verb::Up(args) => up::directory(&args.directory),
        Verb::Run(args) => run::run(args),
        Verb::Demo(args) => up::demo(&args),
        Verb::Install(args) => install::install(&args),
        Verb::Uninstall(args) => install::uninstall(&args),
        Verb::Check(args) => {
            let stage = if args.pre { control::check::Stage::Before } else { control::check::Stage::After };
            control::check::run(stage, &args.namespace)
        }
        Verb::Routes(args) => routes::routes(&args),
        Verb::XdsBootstrap(args) => {
            print!("{}", proxy::bootstrap(&args.pod, &args.namespace, args.agent));
            ExitCode::SUCCESS
        }
        Verb::Inject(args) => inject::inject(args),
        Verb::Uninject(args) => inject::uninject(&args),
    }
}
