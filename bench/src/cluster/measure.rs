//! What is done, and what is read meanwhile.

use std::{thread, time::Duration};

use anyhow::Context as _;

use super::{
    Args,
    container::Container,
    figures::{Cost, Edit, Grown, Idle, Loss, Stage, TakingIn},
    mesh::Mesh,
    objects,
};
use crate::{
    admin, clock,
    statistics::{Spread, ms},
    usage::Cpu,
};

/// Between two edits that have nothing to do with each other.
const PAUSE: Duration = Duration::from_millis(500);

/// After much has happened, for the node's own components to finish: they share the processors.
const SETTLE: Duration = Duration::from_secs(20);

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Edits, one after another.
    edits: u16,
    /// Losses of control, one after another.
    losses: u16,
    /// For so long nothing happens, while idleness is measured.
    calm: Duration,
}

impl From<&Args> for Plan {
    fn from(args: &Args) -> Self {
        Self { edits: args.edits, losses: args.losses, calm: Duration::from_secs(args.calm.into()) }
    }
}

/// How long an edit took, from the beginning of the request.
#[derive(Clone, Copy, Debug)]
struct Took {
    answered: Duration,
    told: Duration,
}

/// Changes that control has passed on so far, and how long all of them took it.
#[derive(Clone, Copy, Debug)]
struct PassedOn {
    seconds: f64,
    count: f64,
}

/// Measures what is so while the mesh has its size.
///
/// # Errors
/// Something did not happen in time.
pub(super) fn stage(mesh: &mut Mesh<'_>, plan: Plan) -> anyhow::Result<Stage> {
    let edit = edits(mesh, plan)?;
    let loss = losses(mesh, plan)?;
    // Its sidecar gives back the pages of its program that all this took, after the next call.
    mesh.call()?;
    thread::sleep(SETTLE);
    Ok(Stage { size: mesh.size, edit, loss, idle: idle(mesh, plan)? })
}

/// Measures how control takes in what is written until there are `services`.
///
/// # Errors
/// Something did not happen in time.
pub(super) fn taking_in(mesh: &mut Mesh<'_>, services: u16) -> anyhow::Result<TakingIn> {
    let first_new = mesh.size.services;
    let each = 2 + u32::from(mesh.size.endpoints);
    let wanted = mesh.known()? + f64::from(u32::from(services - first_new) * each);
    let (control, sidecar, cpu) = (mesh.control.memory()?, mesh.sidecar.memory()?, mesh.control.cpu()?);
    let begun = clock::now();
    mesh.grow(services)?;
    let written = begun.elapsed();
    mesh.is_known(wanted)?;
    let known = begun.elapsed();
    thread::sleep(SETTLE);
    let cpu = mesh.control.cpu()?.since(&cpu);
    let pod = mesh.api.pod(objects::NAMESPACE, &objects::pod_name(first_new, 0))?;
    Ok(TakingIn {
        pod_bytes: serde_json::to_vec(&pod)?.len(),
        written_s: written.as_secs_f64(),
        behind_ms: ms(known - written),
        cpu_ms: ms(cpu),
        control: Grown { before: control, after: mesh.control.memory()? },
        control_kib_most: mesh.control.peak()?,
        sidecar: Grown { before: sidecar, after: mesh.sidecar.memory()? },
    })
}

fn edits(mesh: &mut Mesh<'_>, plan: Plan) -> anyhow::Result<Edit> {
    let (cpu, before) = (mesh.control.cpu()?, passed_on(mesh)?);
    let mut times = Vec::new();
    for _ in 0..plan.edits {
        times.push(edit(mesh)?);
        thread::sleep(PAUSE);
    }
    let spread = |of: fn(&Took) -> Duration| Spread::of(times.iter().map(|took| ms(of(took)))).context("no edits");
    let (answered, told) = (spread(|took| took.answered)?, spread(|took| took.told)?);
    Ok(Edit {
        answered_ms: answered.median,
        told_ms: told.median,
        control_ms: passed_on(mesh)?.since(&before),
        told_ms_most: told.most,
        cpu_ms: ms(mesh.control.cpu()?.since(&cpu)) / f64::from(plan.edits),
    })
}

fn edit(mesh: &mut Mesh<'_>) -> anyhow::Result<Took> {
    let address = mesh.next_edit();
    let mesh = &*mesh;
    let begun = clock::now();
    thread::scope(|scope| {
        let telling = scope.spawn(|| mesh.is_told(address).map(|()| begun.elapsed()));
        mesh.write_edit()?;
        let answered = begun.elapsed();
        let told = telling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok(Took { answered, told })
    })
}

fn losses(mesh: &mut Mesh<'_>, plan: Plan) -> anyhow::Result<Loss> {
    let losses = (0..plan.losses).map(|_| lose(mesh)).collect::<anyhow::Result<Vec<_>>>()?;
    let median = |of: fn(&Loss) -> f64| Spread::of(losses.iter().map(of)).map(|spread| spread.median).context("no losses");
    Ok(Loss {
        ready_ms: median(|loss| loss.ready_ms)?,
        cpu_ms: median(|loss| loss.cpu_ms)?,
        memory_kib_most: losses.iter().map(|loss| loss.memory_kib_most).max().context("no losses")?,
        told_ms: median(|loss| loss.told_ms)?,
    })
}

/// Takes control away, and an endpoint changes before there is another.
fn lose(mesh: &mut Mesh<'_>) -> anyhow::Result<Loss> {
    let lost = mesh.lose_control()?;
    let address = mesh.next_edit();
    mesh.write_edit()?;
    mesh.find_control(&lost)?;
    let started = clock::now();
    mesh.is_ready()?;
    let (ready, cpu, most) = (started.elapsed(), mesh.control.cpu()?, mesh.control.peak()?);
    mesh.is_told(address)?;
    let told = started.elapsed();
    thread::sleep(PAUSE);
    Ok(Loss { ready_ms: ms(ready), cpu_ms: ms(cpu.since(&Cpu::default())), memory_kib_most: most, told_ms: ms(told) })
}

fn idle(mesh: &Mesh<'_>, plan: Plan) -> anyhow::Result<Idle> {
    let before = (mesh.control.cpu()?, mesh.sidecar.cpu()?);
    thread::sleep(plan.calm);
    let cost = |program: &Container, before: &Cpu| {
        let spent = program.cpu()?.since(before);
        anyhow::Ok(Cost { memory: program.memory()?, cpu_ms: ms(spent) / plan.calm.as_secs_f64() })
    };
    Ok(Idle { control: cost(&mesh.control, &before.0)?, sidecar: cost(&mesh.sidecar, &before.1)? })
}

/// What control says of how soon it passes on what it hears.
fn passed_on(mesh: &Mesh<'_>) -> anyhow::Result<PassedOn> {
    let page = mesh.control.page("/metrics")?;
    let series = |end| admin::sum(&page, &format!("weft_control_xds_push_duration_seconds_{end}"), &[]);
    Ok(PassedOn { seconds: series("sum"), count: series("count") })
}

impl PassedOn {
    /// Milliseconds for each since `earlier`.
    fn since(self, earlier: &Self) -> f64 {
        (self.seconds - earlier.seconds) * 1e3 / (self.count - earlier.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_takes_what_each_has_taken_since_then() {
        let (earlier, later) = (PassedOn { seconds: 1.0, count: 10.0 }, PassedOn { seconds: 1.25, count: 60.0 });
        assert_eq!(later.since(&earlier), 5.0);
    }
}
