//! A program whose instructions are counted.
//!
//! Callgrind counts what the program executes in user space, so the figures depend neither on the machine's speed nor on
//! what else it does. It also shows every program the same processor (a Haswell, where the real one has AVX2), so that
//! libraries that choose their code by what the processor can do choose alike everywhere; newer instructions, AVX-512 among
//! them, are never met.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, ensure};

/// Has glibc copy and fill with moves of 32 bytes however long it is. From 2 KiB on it would use the processor's instructions for
/// strings, each byte of which counts as an instruction here, though a processor moves 32 in a cycle.
const PLAIN_COPIES: &str = "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";

/// A running program under callgrind. It is killed when this is dropped, and when this process dies.
pub struct Counted {
    program: Child,
    name: &'static str,
    folder: PathBuf,
    dumps: usize,
}

impl Counted {
    /// Starts `program` under callgrind, which keeps its files in `folder` under `name`.
    ///
    /// # Errors
    /// A program that is missing.
    pub fn start(
        name: &'static str,
        folder: &Path,
        program: &Path,
        configure: impl FnOnce(&mut Command) -> &mut Command,
    ) -> anyhow::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "valgrind", "--tool=callgrind", "--quiet"]);
        command.arg(option("--log-file", &folder.join(format!("{name}.log"))));
        command.arg(option("--callgrind-out-file", &folder.join(name)));
        command.arg(option("--vgdb-prefix", &folder.join("vgdb")));
        command.env("GLIBC_TUNABLES", PLAIN_COPIES);
        let program = configure(command.arg(program)).stdin(Stdio::null()).spawn();
        let program = program.context("cannot start setpriv (of util-linux) and valgrind; `./check` installs valgrind")?;
        Ok(Self { program, name, folder: folder.to_owned(), dumps: 0 })
    }

    /// Makes sure that the program has not ended.
    ///
    /// # Errors
    /// It has.
    pub fn runs(&mut self) -> anyhow::Result<()> {
        let ended = self.program.try_wait()?;
        let told = || format!("the {} proxy has ended under valgrind. {}", self.name, self.log());
        ended.map_or(Ok(()), |status| Err(anyhow::anyhow!("{status}")).with_context(told))
    }

    /// Forgets what was counted so far.
    ///
    /// # Errors
    /// The program does not run any more.
    pub fn forget(&mut self) -> anyhow::Result<()> {
        self.tell("zero")
    }

    /// Instructions since they were last forgotten, and the profile that tells where.
    ///
    /// # Errors
    /// The program does not run any more.
    pub fn count(&mut self) -> anyhow::Result<Profile> {
        self.tell("dump")?;
        self.dumps += 1;
        let file = self.folder.join(format!("{}.{}", self.name, self.dumps));
        let text = fs::read_to_string(&file).with_context(|| format!("callgrind did not write {}", file.display()))?;
        let instructions = total(&text).with_context(|| format!("{} has no totals", file.display()))?;
        Ok(Profile { instructions, file })
    }

    fn tell(&mut self, order: &str) -> anyhow::Result<()> {
        self.runs()?;
        let told = Command::new("vgdb")
            .arg(option("--vgdb-prefix", &self.folder.join("vgdb")))
            .arg(format!("--pid={}", self.program.id()))
            .arg(order)
            .output()
            .context("cannot start vgdb, which belongs to valgrind")?;
        let complaint = || format!("{}{}", String::from_utf8_lossy(&told.stderr), self.log());
        ensure!(told.status.success(), "valgrind does not take orders for the {} proxy: {}", self.name, complaint());
        Ok(())
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join(format!("{}.log", self.name))).unwrap_or_default()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// What was counted.
pub struct Profile {
    /// How many instructions.
    pub instructions: u64,
    /// Where: a file for `callgrind_annotate`.
    pub file: PathBuf,
}

fn option(name: &str, value: &Path) -> std::ffi::OsString {
    [OsStr::new(name), OsStr::new("="), value.as_os_str()].into_iter().collect()
}

/// The sum in a profile.
fn total(profile: &str) -> Option<u64> {
    let mut lines = profile.lines().rev();
    lines.find_map(|line| line.strip_prefix("totals: ")?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_read_from_a_profile() {
        let profile = "# callgrind format\nevents: Ir\nsummary: 12\n\nfn=(1) main\n16 5\n\ntotals: 4711\n";
        assert_eq!(total(profile), Some(4711));
        assert_eq!(total("events: Ir\n"), None);
    }
}
