//! What a process costs: CPU time and memory, as `/proc` tells.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use serde::{Deserialize, Serialize};

/// CPU time (user and system) of a process at one moment, thread by thread.
///
/// The scheduler counts nanoseconds for each thread; the kernel's sums for whole processes count ticks of 10 ms. A thread that
/// ended between two readings takes its last time with it, which none of the programs measured here lets happen under load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cpu(BTreeMap<u32, u64>);

impl Cpu {
    /// Of a process that runs.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let mut threads = BTreeMap::new();
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let task = task?;
            // A thread may end between being listed and being read.
            let Ok(schedule) = fs::read_to_string(task.path().join("schedstat")) else { continue };
            let number = task.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let spent = schedule.split_whitespace().next().and_then(|spent| spent.parse::<u64>().ok());
            threads.extend(number.zip(spent));
        }
        Ok(Self(threads))
    }

    /// What was spent from `earlier` until this reading.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let spent = |(thread, now): (&u32, &u64)| now.saturating_sub(earlier.0.get(thread).copied().unwrap_or(0));
        Duration::from_nanos(self.0.iter().map(spent).sum())
    }
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Resident, shared pages counted whole.
    pub(crate) resident: u64,
    /// Resident, shared pages counted by the share of each process.
    pub(crate) proportional: u64,
}

impl Memory {
    /// Of a process that runs.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn of(process: u32) -> io::Result<Self> {
        let folder = format!("/proc/{process}");
        let status = fs::read_to_string(Path::new(&folder).join("status"))?;
        let rollup = fs::read_to_string(Path::new(&folder).join("smaps_rollup"))?;
        Ok(Self { resident: field(&status, "VmRSS:"), proportional: field(&rollup, "Pss:") })
    }
}

/// Resident memory of a process that is nobody else's and of no file, in KiB: what it has written itself.
///
/// # Errors
/// It has ended.
pub(crate) fn own(process: u32) -> io::Result<u64> {
    Ok(field(&fs::read_to_string(format!("/proc/{process}/status"))?, "RssAnon:"))
}

/// The most memory that was resident since the process began, in KiB.
///
/// # Errors
/// It has ended.
pub(crate) fn peak(process: u32) -> io::Result<u64> {
    Ok(field(&fs::read_to_string(format!("/proc/{process}/status"))?, "VmHWM:"))
}

/// CPU time of the whole machine at one moment, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    idle: u64,
    all: u64,
}

impl Machine {
    /// Now.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub(crate) fn now() -> io::Result<Self> {
        Ok(Self::read(&fs::read_to_string("/proc/stat")?))
    }

    /// The share of the machine that was in use from `earlier` until this reading, from 0 to 1.
    pub(crate) fn busy_since(&self, earlier: &Self) -> f64 {
        let ticks = |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
        let (all, idle) = (ticks(self.all, earlier.all), ticks(self.idle, earlier.idle));
        1.0 - f64::from(idle) / f64::from(all.max(1))
    }

    /// Of the first line of `/proc/stat`: user, nice, system, idle, waiting for disks, and what interrupts and others took.
    fn read(stat: &str) -> Self {
        let ticks = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        // The last two are counted among the first two already.
        let ticks: Vec<u64> = ticks.take(8).filter_map(|ticks| ticks.parse().ok()).collect();
        Self { idle: ticks.iter().skip(3).take(2).sum(), all: ticks.iter().sum() }
    }
}

/// How often a process was put to sleep of its own will, all threads together: each is a wake-up to come.
pub(crate) fn sleeps(process: u32) -> io::Result<u64> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))?;
    let status = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok());
    Ok(status.map(|status| field(&status, "voluntary_ctxt_switches:")).sum())
}

/// The number behind `name` at the beginning of a line; 0 if there is none.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_a_new_thread_counts_whole_and_of_an_old_one_from_before() {
        let before = Cpu([(1, 100), (2, 50)].into());
        let after = Cpu([(1, 130), (3, 7)].into());
        assert_eq!(after.since(&before), Duration::from_nanos(37));
    }

    #[test]
    fn what_a_machine_does_beside_waiting_is_busy() {
        let before = Machine::read("cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1\n");
        let after = Machine::read("cpu  110 5 60 860 65 0 0 0 7 7\n");
        assert_eq!(before, Machine { idle: 850, all: 1000 });
        assert_eq!(after.busy_since(&before), 0.25);
    }

    #[test]
    fn a_process_can_be_read() {
        let own = std::process::id();
        assert!(Cpu::of(own).unwrap().since(&Cpu::default()) > Duration::ZERO);
        let memory = Memory::of(own).unwrap();
        assert!(memory.resident > 100 && memory.proportional > 100, "{memory:?}");
        assert!(peak(own).unwrap() > 100 && super::own(own).unwrap() > 100);
    }

    #[test]
    fn a_field_is_found_by_the_beginning_of_its_line() {
        let status = "nonvoluntary_ctxt_switches:\t3\nvoluntary_ctxt_switches:\t5\nVmRSS:\t  1234 kB\n";
        assert_eq!((field(status, "voluntary_ctxt_switches:"), field(status, "VmRSS:"), field(status, "No:")), (5, 1234, 0));
    }
}
