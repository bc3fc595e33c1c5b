//! Keeping a process running: started again when it ends, with growing pauses, until it is told to end for good.

use std::{cell::Cell, process::ExitStatus, rc::Rc, time::Duration};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::{
    process::Child,
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::console::Console;

/// The first pause after an end.
const PAUSE_MIN: Duration = Duration::from_millis(500);

/// Pauses grow to this.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Who has run for so long is not failing: his next end is a first one.
const STEADY: Duration = Duration::from_secs(60);

/// How a process is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// As people are told of it.
    pub(crate) name: String,
    /// Between the polite signal and the other.
    pub(crate) grace: Rc<Cell<Duration>>,
    pub(crate) console: Console,
}

/// Which run of a process is going on; `None` while it is down.
pub(crate) type Runs = watch::Sender<Option<u64>>;

/// Resolves when `flag` is true or can never become so.
pub(crate) async fn told(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|told| *told).await;
}

/// Keeps what `start` starts until `stop` says so; then ends it, first politely.
pub(crate) async fn keep(
    kept: &Kept,
    runs: &Runs,
    mut stop: watch::Receiver<bool>,
    mut start: impl AsyncFnMut() -> anyhow::Result<Child>,
) {
    let mut pause = PAUSE_MIN;
    for run in 1.. {
        let since = Instant::now();
        let ended = match start().await {
            Ok(mut child) => {
                runs.send_replace(Some(run));
                let group = pid(&child);
                let ended = tokio::select! {
                    status = child.wait() => status.map_or_else(|error| error.to_string(), described),
                    () = told(&mut stop) => {
                        end(&mut child, kept.grace.get()).await;
                        runs.send_replace(None);
                        return;
                    }
                };
                // What it started may still be there, and in the way of the next run.
                let _ = group.map(|group| kill_process_group(group, Signal::KILL));
                ended
            }
            Err(error) => format!("cannot be started: {error:#}"),
        };
        runs.send_replace(None);
        if since.elapsed() > STEADY {
            pause = PAUSE_MIN;
        }
        kept.console.say(format_args!("{} {ended}; starting it again in {} s", kept.name, pause.as_secs_f32()));
        tokio::select! {
            () = sleep(pause) => {}
            () = told(&mut stop) => return,
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn end(child: &mut Child, grace: Duration) {
    let group = pid(child);
    signal(child, Signal::TERM);
    if timeout(grace, child.wait()).await.is_err() {
        signal(child, Signal::KILL);
        let _ = child.kill().await;
    }
    let _ = group.map(|group| kill_process_group(group, Signal::KILL));
}

/// Its process id, until it has ended.
fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// To the process and everything in its session, if it has one of its own.
fn signal(child: &Child, signal: Signal) {
    let Some(pid) = pid(child) else { return };
    if kill_process_group(pid, signal).is_err() {
        // No group of its own, or not yet. That it has just ended is no failure.
        let _ = kill_process(pid, signal);
    }
}

fn described(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => String::from("ended"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::process::Command;

    use super::*;

    async fn kept_for(time: Duration, script: &str) -> u32 {
        let (console, _writer) = Console::open(false, None).unwrap();
        let kept = Kept { name: String::from("test"), grace: Rc::new(Cell::new(Duration::from_millis(200))), console };
        let (stopping, stop) = watch::channel(false);
        let starts = Rc::new(Cell::new(0));
        let counted = starts.clone();
        let runs = watch::channel(None).0;
        let keeping = keep(&kept, &runs, stop, async || {
            counted.set(counted.get() + 1);
            Ok(Command::new("sh").args(["-c", script]).spawn()?)
        });
        let stopper = async {
            sleep(time).await;
            stopping.send_replace(true);
        };
        timeout(Duration::from_secs(5), async { tokio::join!(keeping, stopper) }).await.unwrap();
        starts.get()
    }

    #[tokio::test]
    async fn who_ends_is_started_again_after_a_pause() {
        assert_eq!(kept_for(Duration::from_millis(900), "exit 3").await, 2);
    }

    #[tokio::test]
    async fn who_does_not_listen_is_killed() {
        assert_eq!(kept_for(Duration::from_millis(100), "trap '' TERM; while :; do sleep 0.05; done").await, 1);
    }
}
