//! What `bad_tls.py` is asked to do, and what it must tell.

use std::process::Command;

use tests::script;

/// A case, how it must end, and the reasons that must be counted: one of each given.
pub(crate) type Case = (&'static str, &'static str, &'static str);

/// The script, about to speak to `port` of `host`, whose counters are on `metrics`. To be started with [`holds`].
pub(crate) fn spoken(host: &str, port: u16, metrics: &str, cases: &[Case]) -> Vec<String> {
    let words = [String::from("python3"), String::from("-W"), String::from("ignore"), script("bad_tls.py")];
    let target = [host.to_owned(), port.to_string(), metrics.to_owned()];
    words.into_iter().chain(target).chain(cases.iter().map(|(name, ..)| (*name).to_owned())).collect()
}

/// Runs `command`, and holds what it tells against `cases`.
pub(crate) fn holds(mut command: Command, cases: &[Case]) {
    let output = command.output().expect("python3");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Vec<&str>> = told.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(lines.len(), cases.len(), "{told}");
    let mut wrong = Vec::new();
    for ((name, ends, counted), line) in cases.iter().zip(&lines) {
        let [_, ended, reasons] = line[..] else { panic!("{line:?}") };
        if !ended.contains(ends) || reasons != *counted {
            wrong.push(format!("{name}: `{ended}`, counted `{reasons}`; expected `{ends}`, `{counted}`"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
