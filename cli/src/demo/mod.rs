//! The demo: a small shop through the mesh, its visitors, and a table of its traffic.
//!
//! It is a directory of manifests like any other, carried in this program; its apps are hidden verbs of it. While visitors
//! come, one replica is taken away and replaced. What is shown comes from the sidecars' own metrics, and from the visitors.

pub(crate) mod app;
mod metrics;
mod report;

use std::{
    collections::BTreeMap,
    fs,
    io::IsTerminal,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{
    net::UnixStream,
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender},
        oneshot,
    },
    time::{Instant, interval, sleep},
};

use crate::{
    clock,
    engine::{Console, Event, Key},
};
use app::visitor::Tally;
use metrics::Edges;
use report::Report;

const SHOP: &str = include_str!("shop.yaml");

/// The replica that is replaced.
const REPLACED: (&str, &str) = ("shop", "cart-v1-0");

/// When it is, if nobody said how long the demo is to last.
const REPLACE_AFTER: Duration = Duration::from_secs(5);

/// Between looks at the metrics.
const LOOK: Duration = Duration::from_millis(250);

/// The table shows the last so many looks.
const WINDOW: usize = 8;

/// For how long the shop may take to open.
const OPENING: Duration = Duration::from_secs(60);

/// What the demo may order.
#[derive(Debug)]
pub(crate) enum Order {
    /// Take this pod out of service; the plan starts another in its stead.
    Replace(Key),
    /// Where are the pods, those on their way out too?
    List(oneshot::Sender<Vec<IpAddr>>),
}

/// What the person asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    pub(crate) time: Option<Duration>,
    pub(crate) json: bool,
    /// When the command was given, in milliseconds of Unix time.
    pub(crate) began_ms: u64,
}

/// Writes the shop's manifests below `private`.
///
/// # Errors
/// They cannot be written.
pub(crate) fn unpack(private: &Path) -> anyhow::Result<PathBuf> {
    let folder = private.join("shop");
    fs::create_dir(&folder).and_then(|()| fs::write(folder.join("shop.yaml"), SHOP)).context("cannot write the shop")?;
    Ok(folder)
}

/// Shows the traffic until the time is over or the lifeline is cut. Returns whether everything went well.
pub(crate) async fn show(
    wish: Wish,
    events: UnboundedSender<Event>,
    mut said: UnboundedReceiver<(String, String)>,
    console: Console,
    lifeline: UnixStream,
) -> bool {
    let mut demo = Demo { wish, events, console, tally: Tally::default(), seen: BTreeMap::new(), history: Vec::new() };
    let cut = async {
        let _ = lifeline.readable().await;
    };
    tokio::pin!(cut);
    let opened = tokio::select! {
        first = demo.wait_for_visitors(&mut said) => first,
        () = cut.as_mut() => None,
    };
    let Some(first_request_ms) = opened else {
        demo.console.say("no request came through the mesh");
        return false;
    };
    demo.console.say(format_args!("the first request came through the mesh after {:.2} s", seconds(first_request_ms)));
    let since = Instant::now();
    let replaced = tokio::select! {
        replaced = demo.watch(&mut said) => replaced,
        () = cut.as_mut() => None,
    };
    demo.look().await;
    demo.conclude(first_request_ms, replaced, since.elapsed()).await
}

struct Demo {
    wish: Wish,
    events: UnboundedSender<Event>,
    console: Console,
    tally: Tally,
    /// What each sidecar counted, by its pod's address. Those that are gone stay counted.
    seen: BTreeMap<IpAddr, Edges>,
    /// The sums of the last looks, and when they were made.
    history: Vec<(Instant, Edges)>,
}

impl Demo {
    async fn wait_for_visitors(&mut self, said: &mut UnboundedReceiver<(String, String)>) -> Option<u64> {
        let opened = async {
            while self.tally.requests == 0 {
                self.hear(said.recv().await?);
            }
            Some(clock::unix_ms().saturating_sub(self.wish.began_ms))
        };
        tokio::time::timeout(OPENING, opened).await.ok()?
    }

    /// Looks, shows, and replaces a replica halfway. Returns which, if it came to that.
    async fn watch(&mut self, said: &mut UnboundedReceiver<(String, String)>) -> Option<String> {
        let mut looks = interval(LOOK);
        let replace_after = self.wish.time.map_or(REPLACE_AFTER, |time| time / 3);
        let mut replaced = None;
        let (replacing, over) = (sleep(replace_after), sleep(self.wish.time.unwrap_or(Duration::MAX / 4)));
        tokio::pin!(replacing, over);
        loop {
            tokio::select! {
                Some(line) = said.recv() => self.hear(line),
                _ = looks.tick() => {
                    self.look().await;
                    self.draw().await;
                }
                () = replacing.as_mut(), if replaced.is_none() => {
                    let key = Key::new(REPLACED.0, REPLACED.1);
                    self.console.say(format_args!("taking {key} away while requests come; another replaces it"));
                    replaced = Some(key.name.clone());
                    let _ = self.events.send(Event::Demo(Order::Replace(key)));
                }
                () = over.as_mut() => return replaced,
            }
        }
    }

    fn hear(&mut self, (pod, line): (String, String)) {
        if !pod.ends_with("visitor-0") {
            // An app that says anything is in trouble.
            self.console.say(format_args!("{pod}: {}", line.trim_end()));
        } else if let Ok(tally) = serde_json::from_str::<Tally>(&line) {
            for reason in tally.reasons.iter().skip(self.tally.reasons.len()) {
                self.console.say(format_args!("a request failed: {reason}"));
            }
            self.tally = tally;
        }
    }

    async fn look(&mut self) {
        let (answer, listed) = oneshot::channel();
        let _ = self.events.send(Event::Demo(Order::List(answer)));
        for address in listed.await.unwrap_or_default() {
            // One that is just starting or ending is looked at next time.
            if let Ok(page) = metrics::scrape(address).await {
                self.seen.insert(address, metrics::edges(&page));
            }
        }
        self.history.push((Instant::now(), self.sum()));
        if self.history.len() > WINDOW {
            self.history.remove(0);
        }
    }

    fn sum(&self) -> Edges {
        let mut sum = Edges::new();
        self.seen.values().for_each(|edges| metrics::add(&mut sum, edges));
        sum
    }

    async fn draw(&self) {
        let (Some((before, earlier)), Some((now, sum))) = (self.history.first(), self.history.last()) else { return };
        let seconds = now.duration_since(*before).as_secs_f64();
        if self.wish.json || !std::io::stdout().is_terminal() || seconds <= 0.0 {
            return;
        }
        let none = metrics::Edge::default();
        let recent: Edges =
            sum.iter().map(|(ends, edge)| (ends.clone(), edge.since(earlier.get(ends).unwrap_or(&none)))).collect();
        let mut text = report::table(&recent, seconds);
        text.push_str(&format!("\n\n{} requests, {} failed\n", self.tally.requests, self.tally.failed));
        self.console.show(text).await;
    }

    async fn conclude(&self, first_request_ms: u64, replaced: Option<String>, took: Duration) -> bool {
        let edges = self.sum();
        let report = Report::new(&self.tally, &edges, first_request_ms, replaced);
        let text = if self.wish.json {
            serde_json::to_string(&report).unwrap_or_default() + "\n"
        } else {
            let replaced = report.replaced.as_ref().map_or_else(String::new, |pod| format!(", while {pod} was replaced"));
            let table = report::table(&edges, took.as_secs_f64());
            format!("\nIn all:\n{table}\n\n{} requests, {} failed{replaced}\n", report.requests, report.failed)
        };
        self.console.print(text).await;
        report.is_good()
    }
}

#[allow(clippy::cast_precision_loss)]
fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
