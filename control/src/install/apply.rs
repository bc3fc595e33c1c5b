//! Putting it in: server-side apply, so that what we do not say is left to others.

use std::time::Duration;

use kube::{
    Client,
    api::{Patch, PatchParams},
};

use super::{
    Applying, MANAGER,
    objects::{Places, read},
};
use crate::{
    check::{self, Verdict},
    clock,
};

/// How long control may take to run: its image may have to be pulled.
const PATIENCE: Duration = Duration::from_secs(180);

/// How often it is looked at meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Applies, and waits. Says whether all of it came to be.
pub(super) async fn apply(client: Client, applying: Applying<'_>) -> anyhow::Result<bool> {
    let Applying { manifests, namespace, force } = applying;
    let mut places = Places::new(client.clone());
    let mut all = true;
    for wanted in read(manifests)? {
        let place = places.of(&wanted).await?;
        let name = wanted.object.metadata.name.clone().unwrap_or_default();
        let params = PatchParams { force, ..PatchParams::apply(MANAGER) };
        match place.patch(&name, &params, &Patch::Apply(&wanted.object)).await {
            Ok(_) => println!("  applied  {wanted}"),
            Err(kube::Error::Api(status)) => {
                all = false;
                eprintln!("  FAILED   {wanted}: {}", status.message);
                if status.reason == "Conflict" {
                    eprintln!("           others have written these fields; --force-conflicts takes them");
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all && runs(&client, namespace).await?)
}

/// Waits until control runs and the API server believes its webhook.
async fn runs(client: &Client, namespace: &str) -> anyhow::Result<bool> {
    let until = clock::now() + PATIENCE;
    loop {
        let findings = check::ready(client, namespace).await?;
        let waiting: Vec<_> = findings.iter().filter(|finding| matches!(finding.verdict, Verdict::Wrong { .. })).collect();
        if waiting.is_empty() {
            findings.iter().for_each(|finding| println!("{finding}"));
            return Ok(true);
        }
        if clock::now() >= until {
            waiting.iter().for_each(|finding| eprintln!("{finding}"));
            return Ok(false);
        }
        tokio::time::sleep(LOOK).await;
    }
}
