//! Redirect rules.
#[derive(Debug, clap::Args)]
pub struct InitArgs {}
pub fn run(_: InitArgs) -> anyhow::Result<()> {
    Ok(())
}
