//! Memory that a wave of work leaves behind, given back when the wave is over.
//!
//! An allocator gives back what is free when it is next asked for something. A proxy that has become idle asks for nothing.

use std::{cell::Cell, fs, time::Duration};

use tokio::sync::Notify;

/// A wave is over when nothing has begun or ended for so long.
const CALM: Duration = Duration::from_secs(1);

/// Bytes by which memory must have grown for it to be worth the while.
const GROWN: usize = 1 << 20;

/// Told of all work of a thread.
#[derive(Debug, Default)]
pub struct Tide {
    stirs: Cell<u64>,
    /// Whether somebody waits for the end of a wave.
    watched: Cell<bool>,
    begun: Notify,
}

impl Tide {
    /// Something has begun, or ended.
    pub fn stir(&self) {
        self.stirs.set(self.stirs.get().wrapping_add(1));
        if !self.watched.replace(true) {
            self.begun.notify_one();
        }
    }

    /// Gives memory back after every wave, for ever. While nothing happens, nothing wakes it.
    pub async fn ebb(&self) {
        // The first wave is our own beginning.
        self.stir();
        let mut low = 0;
        loop {
            self.begun.notified().await;
            self.calm().await;
            if resident().is_some_and(|bytes| bytes > low + GROWN) {
                kernel::memory::give_back();
                low = resident().unwrap_or_default();
            }
        }
    }

    async fn calm(&self) {
        loop {
            let before = self.stirs.get();
            tokio::time::sleep(CALM).await;
            if self.stirs.get() == before {
                break;
            }
        }
        self.watched.set(false);
    }
}

/// Bytes of memory that this process holds; `None` where `/proc` is not there.
fn resident() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: usize = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_wave_lasts_until_nothing_happens() {
        let tide = Tide::default();
        tide.stir();
        tide.begun.notified().await;
        let calm = tide.calm();
        tokio::pin!(calm);
        for _ in 0..3 {
            assert!(tokio::time::timeout(CALM * 3 / 4, calm.as_mut()).await.is_err());
            tide.stir();
        }
        tokio::time::timeout(CALM * 5 / 2, calm).await.expect("it is calm");
        assert!(!tide.watched.get(), "the next stir begins another wave");
    }

    #[test]
    fn a_process_knows_what_it_holds() {
        assert!(resident().is_some_and(|bytes| bytes > GROWN));
    }
}
