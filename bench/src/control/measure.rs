//! What is done to control, and what is read meanwhile.

use std::{path::Path, time::Duration};

use anyhow::Context as _;

use super::{
    crowd::{Crowd, Took},
    figures::{Alone, Churn, Edit, Gathering, Idle, OfCrowd, Restart},
    manifests::Source,
    program::Control,
    subscriber::What,
};
use crate::{
    clock,
    statistics::{Spread, ms},
    usage::Cpu,
};

/// For so long nothing happens, while idleness is measured.
const CALM: Duration = Duration::from_secs(5);

/// Between two edits that have nothing to do with each other.
const PAUSE: Duration = Duration::from_millis(300);

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Edits, one after another.
    pub edits: u16,
    /// Edits in each second of churn.
    pub churn_rate: u16,
    /// Seconds of churn.
    pub churn_seconds: u16,
}

/// Measures a control that nobody asks anything.
///
/// # Errors
/// It does not start.
pub async fn alone(program: &Path, source: &Source, folder: &Path) -> anyhow::Result<Alone> {
    let control = Control::start(program, source.folder(), folder)?;
    let Idle { memory_kib, cpu_ms } = idle(&control).await?;
    Ok(Alone { ready_ms: ms(control.start_time), memory_kib, idle_cpu_ms: cpu_ms })
}

/// Measures a control with so many subscribers.
///
/// # Errors
/// Something did not happen to all of them in time.
pub async fn crowd(subscribers: u16, program: &Path, source: &mut Source, folder: &Path, plan: Plan) -> anyhow::Result<OfCrowd> {
    let mut control = Control::start(program, source.folder(), folder)?;
    let (mut crowd, gathering) = gather(subscribers, &control).await?;
    Ok(OfCrowd {
        subscribers,
        gathering,
        idle: idle(&control).await?,
        edit: edit(&mut crowd, &control, source, plan).await?,
        churn: churn(&mut crowd, &control, source, plan).await?,
        restart: restart(&mut crowd, &mut control, source).await?,
    })
}

async fn gather(subscribers: u16, control: &Control) -> anyhow::Result<(Crowd, Gathering)> {
    let (begun, before) = (clock::now(), control.cpu()?);
    let mut crowd = Crowd::gather(subscribers, control)?;
    let certified = crowd.all(What::Certified, begun).await?;
    let configured = crowd.all(What::Configured, begun).await?;
    let gathering = Gathering {
        certified_ms: ms(certified.all),
        configured_ms: ms(configured.all),
        bytes_each: crowd.received_each(),
        cpu_ms: ms(control.cpu()?.since(&before)),
    };
    Ok((crowd, gathering))
}

async fn idle(control: &Control) -> anyhow::Result<Idle> {
    // What has just begun settles first.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = control.cpu()?;
    tokio::time::sleep(CALM).await;
    let spent = control.cpu()?.since(&before);
    Ok(Idle { memory_kib: control.memory()?, cpu_ms: ms(spent) / CALM.as_secs_f64() })
}

async fn edit(crowd: &mut Crowd, control: &Control, source: &mut Source, plan: Plan) -> anyhow::Result<Edit> {
    let own = || Cpu::of(std::process::id());
    let (before, own_before, bytes_before) = (control.cpu()?, own()?, crowd.received_each());
    let mut times = Vec::new();
    for _ in 0..plan.edits {
        let begun = clock::now();
        let edit = source.edit()?;
        times.push(crowd.all(What::Told(edit), begun).await?);
        tokio::time::sleep(PAUSE).await;
    }
    let edits = f64::from(plan.edits);
    let spread = |of: fn(&Took) -> Duration| Spread::of(times.iter().map(|took| ms(of(took)))).context("no edits");
    let (half, all) = (spread(|took| took.half)?, spread(|took| took.all)?);
    Ok(Edit {
        half_ms: half.median,
        all_ms: all.median,
        all_ms_most: all.most,
        bytes_each: (crowd.received_each() - bytes_before) / u64::from(plan.edits),
        cpu_ms: ms(control.cpu()?.since(&before)) / edits,
        own_cpu_ms: ms(own()?.since(&own_before)) / edits,
    })
}

async fn churn(crowd: &mut Crowd, control: &Control, source: &mut Source, plan: Plan) -> anyhow::Result<Churn> {
    let (before, bytes_before) = (control.cpu()?, crowd.received_each());
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::from(plan.churn_rate));
    let mut last = None;
    for _ in 0..plan.churn_rate * plan.churn_seconds {
        ticks.tick().await;
        last = Some((clock::now(), source.edit()?));
    }
    let took = match last {
        Some((begun, edit)) => crowd.all(What::Told(edit), begun).await?.all,
        None => Duration::ZERO,
    };
    crowd.forget();
    Ok(Churn {
        edits: plan.churn_rate.into(),
        cpu_ms: ms(control.cpu()?.since(&before)) / f64::from(plan.churn_seconds),
        memory_kib_most: control.peak()?,
        bytes_each: (crowd.received_each() - bytes_before) / u64::from(plan.churn_seconds),
        all_ms: ms(took),
    })
}

async fn restart(crowd: &mut Crowd, control: &mut Control, source: &mut Source) -> anyhow::Result<Restart> {
    crowd.forget();
    let (begun, bytes_before) = (clock::now(), crowd.received_each());
    control.restart()?;
    let back = crowd.all(What::Connected, begun).await?;
    let bytes_each = crowd.received_each() - bytes_before;
    let edited = clock::now();
    let edit = source.edit()?;
    let edit_ms = ms(crowd.all(What::Told(edit), edited).await?.all);
    let ready_ms = ms(control.start_time);
    Ok(Restart { ready_ms, half_ms: ms(back.half), all_ms: ms(back.all), bytes_each, edit_ms })
}
