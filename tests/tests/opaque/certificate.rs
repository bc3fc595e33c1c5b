//! Certificates of apps that do TLS of their own.

use std::process::Command;

/// A certificate that is its own root, for `names`, and its key; both in one PEM text.
pub fn certificate(names: &[&str]) -> String {
    let alternatives: Vec<String> = names.iter().map(|name| format!("DNS:{name}")).collect();
    let request =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", "-"];
    let mut openssl = Command::new("openssl");
    openssl.args(request).args(["-subj", &format!("/CN={}", names[0])]);
    openssl.args(["-addext", &format!("subjectAltName={}", alternatives.join(","))]);
    let output = openssl.output().expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}
