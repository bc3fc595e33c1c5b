//! Beside every kind of abuser, good clients notice nothing; what abuse costs a sidecar is bounded, and given back.

mod slow;
mod world;

use world::World;

/// Of HTTP/1 on 8080.
const HTTP_1: (&str, &[&str]) = (
    "http1.py",
    &[
        "8080:slow-headers",
        "8080:slow-first-lines",
        "8080:slow-bodies",
        "8080:silent",
        "8080:flood",
        "8080:huge-headers",
        "8080:endless-body",
        "8080:endless-trailers",
        "8080:endless-chunk-extension",
        "8080:endless-chunk-size",
        "8080:endless-empty-lines",
    ],
);

/// Of HTTP/2 on 8082: floods, which are over when somebody is thrown out.
const FLOODS: (&str, &[&str]) = (
    "http2.py",
    &[
        "8082:rapid-reset",
        "8082:rapid-violation",
        "8082:continuation-flood",
        "8082:continuation-flood-of-nothing",
        "8082:settings-flood",
        "8082:ping-flood",
        "8082:ping-flood-never-reading",
        "8082:empty-data-flood",
        "8082:padding-flood",
    ],
);

/// Of HTTP/2 on 8082: windows kept shut, taken back and overfilled, fields and frames that must not be.
const BREACHES: (&str, &[&str]) = (
    "http2.py",
    &[
        "8082:zero-window",
        "8082:negative-window",
        "8082:hpack-bomb",
        "8082:huge-headers",
        "8082:bad-fields",
        "8082:bad-frames",
        "8082:cut-preface",
        "8082:endless-body",
    ],
);

/// Who asks for much and reads nothing.
const DEAF: (&str, &[&str]) = ("http1.py", &["8080:never-reads", "9000:never-reads-echo"]);

#[test]
fn good_clients_notice_no_abuse_and_nothing_is_left_of_it() {
    let world = World::up();
    let mut complaints = Vec::new();
    for pod in ["stranger-0", "insider-0"] {
        for abuse in [HTTP_1, FLOODS, BREACHES, DEAF] {
            // Who looks once cannot tell abuse from a machine that is busy with something else.
            if !world.bears(pod, abuse).is_empty() {
                complaints.extend(world.bears(pod, abuse));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(!world.panicked());
}
