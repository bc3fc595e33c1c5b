//! The shop's apps. They know nothing of a mesh: they resolve names and connect, as any app does.

mod caller;
mod server;
mod stock;
pub(crate) mod visitor;

use std::{ffi::OsString, process::ExitCode};

use anyhow::{Context as _, bail};

use caller::Caller;

/// Where web and cart take requests.
const HTTP: u16 = 8080;

/// Runs the app named first, until SIGTERM.
pub(crate) fn run(rest: &[OsString]) -> anyhow::Result<ExitCode> {
    let name = rest.first().and_then(|name| name.to_str()).context("which app?")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start the runtime")?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async {
        match name {
            "web" => {
                let cart = Caller::new("cart");
                server::serve(HTTP, async move || cart.get("/cart").await).await
            }
            "cart" => server::serve(HTTP, async || stock::ask("stock:6000", "yarn").await).await,
            "stock" => stock::serve(6000).await,
            "visitor" => visitor::run().await,
            _ => bail!("there is no app {name} in the shop"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}
