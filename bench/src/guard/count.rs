//! One scenario, walked through a pair of proxies.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
};

use anyhow::Context as _;

use super::{
    callgrind::Profile,
    pair::{Pair, Way},
    recorded::{Figures, Proxy},
    scenario::Scenario,
};

/// Counts `scenario` with a pair of `program` that has seen nothing else: what the heap has been through before moves figures by
/// some percent. Profiles are kept in the folder `profiles`, if there is one.
///
/// # Errors
/// What went wrong, and in which scenario.
pub fn count(program: &Path, scenario: &Scenario, profiles: Option<&Path>) -> anyhow::Result<Figures> {
    let [outbound, inbound] = walk(program, scenario, profiles).with_context(|| format!("in scenario {}", scenario.name))?;
    let units = u64::from(scenario.exchanges * scenario.units);
    Ok(Figures { outbound: outbound / units, inbound: inbound / units })
}

/// Instructions of both proxies.
fn walk(program: &Path, scenario: &Scenario, profiles: Option<&Path>) -> anyhow::Result<[u64; 2]> {
    let folder = tempfile::tempdir()?;
    let app = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let way = Way::to(app.local_addr()?)?;
    scenario.traffic.serve(app);
    let mut pair = Pair::start(program, folder.path(), way)?;
    let mut load = scenario.traffic.connect(way.entrance)?;
    for _ in 0..scenario.warm_up {
        load.exchange()?;
    }
    pair.outbound.forget()?;
    pair.inbound.forget()?;
    for _ in 0..scenario.exchanges {
        load.exchange()?;
    }
    let counted = [pair.outbound.count()?, pair.inbound.count()?];
    if let Some(profiles) = profiles {
        for (profile, proxy) in counted.iter().zip(Proxy::BOTH) {
            keep(profile, profiles, scenario.name, proxy)?;
        }
    }
    Ok(counted.map(|profile| profile.instructions))
}

fn keep(profile: &Profile, folder: &Path, scenario: &str, proxy: Proxy) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let kept = folder.join(format!("{scenario}.{}.callgrind", proxy.word()));
    fs::copy(&profile.file, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
    Ok(())
}
