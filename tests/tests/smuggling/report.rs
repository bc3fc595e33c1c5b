//! What went wrong, told all at once.

use std::collections::BTreeMap;

use crate::{backends::Way, exchange::Came};

/// More than this nobody reads.
const TOLD_MAX: usize = 400;

/// Letters of one thing that is wrong, and of the bytes it is about.
const WHY_MAX: usize = 300;
const BYTES_MAX: usize = 160;

/// What is wrong; the same thing is told once for all services.
#[derive(Default)]
pub struct Complaints(BTreeMap<String, Complaint>);

#[derive(Default)]
struct Complaint {
    services: Vec<&'static str>,
    /// What came from the first of them.
    came: String,
}

impl Complaints {
    /// What is `wrong` with what became of the case `name` at `service`: what was sent, and what came.
    pub fn add(&mut self, service: &'static str, name: &str, (sent, came): (&[u8], &[Came]), wrong: Vec<String>) {
        let cut = |text: String, length: usize| text.chars().take(length).collect::<String>();
        let bytes = |bytes: &[u8]| cut(bytes.escape_ascii().to_string(), BYTES_MAX);
        for why in wrong {
            let told = format!("{name}: {}\n    sent {}", cut(why, WHY_MAX), bytes(sent));
            let complaint = self.0.entry(told).or_default();
            complaint.services.push(service);
            if complaint.services.len() == 1 {
                complaint.came = came.iter().map(|came| bytes(&came.bytes)).collect::<Vec<_>>().join(" | ");
            }
        }
    }

    /// # Panics
    /// If there are any.
    pub fn report(&self, way: Way) {
        let lines =
            self.0.iter().map(|(what, Complaint { services, came })| format!("[{}] {what}\n    came {came}", services.join(" ")));
        let some: Vec<String> = lines.take(TOLD_MAX).collect();
        assert!(some.is_empty(), "{way:?}: {} complaints, of which the first are\n{}", self.0.len(), some.join("\n"));
    }
}
