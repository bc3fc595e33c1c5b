//! What figures depend on beside our own code.

use std::{fmt, process::Command};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// Where something was counted. Figures of different grounds cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ground {
    /// What compiled it.
    pub compiler: String,
    /// What counted.
    pub valgrind: String,
    /// What valgrind can pretend to be here.
    pub processor: String,
}

impl Ground {
    /// The one we stand on.
    ///
    /// # Errors
    /// A program that is missing.
    pub fn here() -> anyhow::Result<Self> {
        Ok(Self { compiler: said("rustc")?, valgrind: said("valgrind")?, processor: processor().to_owned() })
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.compiler, self.valgrind, self.processor)
    }
}

fn said(program: &str) -> anyhow::Result<String> {
    let output = Command::new(program).arg("--version").output();
    let output = output.with_context(|| format!("cannot start {program}; `./check` installs what it needs"))?;
    ensure!(output.status.success(), "{program} --version failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Valgrind shows every program one of a few processors, by what the real one has.
fn processor() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return if std::is_x86_feature_detected!("avx2") { "x86_64 with AVX2" } else { "x86_64" };
    #[cfg(not(target_arch = "x86_64"))]
    return std::env::consts::ARCH;
}
