//! The environment: the only place that reads it, and every mistake in it reported at once.
//!
//! `docs/operating/env.md` is the operator's list of these variables.

use std::{fmt, net::IpAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration};

use super::{Control, Limits, Me, Ports, Settings};

/// Something that holds variables; in tests it is a list.
pub trait Environment {
    /// The value of `name`; `None` when it is not set. Bytes that are not UTF-8 are replaced, and then fail to parse.
    fn get(&self, name: &str) -> Option<String>;
}

/// The process's own environment.
impl Environment for () {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}

/// One variable that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    variable: &'static str,
    why: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.why)
    }
}

/// Reads all settings. `with_control` says whether control's variables are needed.
///
/// # Errors
/// Every variable that is missing, malformed or out of its range.
pub fn read(env: &dyn Environment, with_control: bool) -> Result<Settings, Vec<Mistake>> {
    let mut form = Form { env, mistakes: Vec::new() };
    let settings = fill(&mut form, with_control);
    match settings {
        Some(settings) if form.mistakes.is_empty() => Ok(settings),
        _ => Err(form.mistakes),
    }
}

fn fill(form: &mut Form<'_>, with_control: bool) -> Option<Settings> {
    // Read everything before giving up on anything: `?` comes last.
    let pod = if with_control { form.required("WEFT_POD") } else { Some(form.text("WEFT_POD", "standalone")) };
    let namespace = form.text("WEFT_NAMESPACE", "default");
    let service_account = form.text("WEFT_SERVICE_ACCOUNT", "default");
    let workload = form.optional("WEFT_WORKLOAD");
    let trust_domain = form.parsed("WEFT_TRUST_DOMAIN", "cluster.local");
    let addresses = form.list::<IpAddr>("WEFT_POD_IPS");
    let outbound = form.port("WEFT_OUTBOUND_PORT", 17001);
    let inbound = form.port("WEFT_INBOUND_PORT", 17002);
    let admin = form.port("WEFT_ADMIN_PORT", 17003);
    let redirect_check = form.optional_port("WEFT_REDIRECT_CHECK_PORT");
    // One worker carries tens of thousands of requests a second; a second one costs memory in every pod.
    let workers = form.number("WEFT_WORKERS", 1, 1..=256);
    let mark = form.mark("WEFT_MARK");
    let control = if with_control { form.control(mark.flatten()).map(Some) } else { Some(None) };
    // Far above what a pod sees, far below what exhausts file descriptors (1,048,576 in a pod by default).
    let connections_max = form.number("WEFT_CONNECTIONS_MAX", 100_000, 1..=1_000_000);
    // 2,000 series are about 1 MB of counters and 2 MB of scrape.
    let series_max = form.number("WEFT_SERIES_MAX", 2_000, 10..=100_000);
    // Within a cluster a connection takes below 1 ms; 2 s outlives a lost SYN (retried by Linux after 1 s).
    let connect_timeout = form.duration("WEFT_CONNECT_TIMEOUT_MS", 2_000, 10..=300_000);
    // Long enough for control to restart (about 2 s) while a new destination is dialled.
    let discovery_timeout = form.duration("WEFT_DISCOVERY_TIMEOUT_MS", 5_000, 10..=300_000);
    let head_timeout = form.duration("WEFT_HEAD_TIMEOUT_MS", 30_000, 10..=3_600_000);
    let handshake_timeout = form.duration("WEFT_HANDSHAKE_TIMEOUT_MS", 10_000, 10..=300_000);
    let attempts_max = form.small("WEFT_ATTEMPTS_MAX", 3, 1..=10);
    let silence_max = form.duration("WEFT_SILENCE_TIMEOUT_MS", 30_000, 1_000..=3_600_000);
    let limits = form.limits();
    let forwarded = form.parsed("WEFT_FORWARDED", "append");
    // Less than Kubernetes' default grace period of 30 s, so that we end before we are killed.
    let drain_timeout = form.duration("WEFT_DRAIN_TIMEOUT_MS", 25_000, 0..=3_600_000);
    let access_log = form.flag("WEFT_ACCESS_LOG");
    let log = form.log("WEFT_LOG", "info,h2=error");
    let probes = form.parsed("WEFT_PROBES", "{}");
    let pod = pod?;
    let workload = workload.unwrap_or_else(|| pod.clone());
    Some(Settings {
        me: Me { pod, namespace, workload, service_account, trust_domain: trust_domain?, addresses },
        ports: Ports { outbound: outbound?, inbound: inbound?, admin: admin?, redirect_check: redirect_check? },
        control: control?,
        workers: workers?,
        mark: mark?,
        connections_max: connections_max?,
        series_max: series_max?,
        connect_timeout: connect_timeout?,
        discovery_timeout: discovery_timeout?,
        drain_timeout: drain_timeout?,
        head_timeout: head_timeout?,
        handshake_timeout: handshake_timeout?,
        attempts_max: attempts_max?,
        silence_max: silence_max?,
        limits: limits?,
        forwarded: forwarded?,
        access_log: access_log?,
        log: log?,
        probes: probes?,
    })
}

/// The environment being read, and what was wrong with it so far.
struct Form<'a> {
    env: &'a dyn Environment,
    mistakes: Vec<Mistake>,
}

impl Form<'_> {
    fn optional(&self, name: &'static str) -> Option<String> {
        self.env.get(name).filter(|value| !value.is_empty())
    }

    fn text(&self, name: &'static str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    fn required(&mut self, name: &'static str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.wrong(name, "must be set");
        }
        value
    }

    fn parsed<T: FromStr<Err: fmt::Display>>(&mut self, name: &'static str, default: &str) -> Option<T> {
        let text = self.text(name, default);
        self.parse(name, &text)
    }

    fn parse<T: FromStr<Err: fmt::Display>>(&mut self, name: &'static str, text: &str) -> Option<T> {
        text.parse().map_err(|error| self.wrong(name, &format!("{error}"))).ok()
    }

    fn list<T: FromStr<Err: fmt::Display>>(&mut self, name: &'static str) -> Vec<T> {
        let text = self.text(name, "");
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).filter_map(|item| self.parse(name, item)).collect()
    }

    fn control(&mut self, mark: Option<u32>) -> Option<Control> {
        let xds = self.required("WEFT_CONTROL_XDS").and_then(|text| self.parse("WEFT_CONTROL_XDS", &text));
        let certificates = self.required("WEFT_CONTROL_CERTS").and_then(|text| self.parse("WEFT_CONTROL_CERTS", &text));
        let bundle = self.required("WEFT_TRUST_BUNDLE");
        let token = self.required("WEFT_TOKEN_FILE");
        Some(Control {
            xds: xds?,
            certificates: certificates?,
            bundle: PathBuf::from(bundle?),
            token: PathBuf::from(token?),
            mark,
        })
    }

    fn limits(&mut self) -> Option<Limits> {
        let head_bytes = self.small("WEFT_HEAD_BYTES_MAX", 64 << 10, 4 << 10..=1 << 20);
        let line_bytes = self.small("WEFT_HTTP1_LINE_BYTES_MAX", 16 << 10, 1 << 10..=1 << 20);
        let fields = self.small("WEFT_HTTP1_FIELDS_MAX", 128, 8..=256);
        let chunk_line_bytes = self.small("WEFT_HTTP1_CHUNK_LINE_BYTES_MAX", 1 << 10, 32..=64 << 10);
        let interims = self.small("WEFT_HTTP1_INTERIMS_MAX", 32, 0..=1_000);
        let ahead_bytes = self.small("WEFT_HTTP1_AHEAD_BYTES_MAX", 16 << 10, 0..=1 << 20);
        let idle_lines = self.number("WEFT_HTTP1_IDLE_MAX", 256, 0..=100_000);
        // Less than most servers keep theirs, so that it is we who close.
        let idle_time = self.duration("WEFT_HTTP1_IDLE_TIMEOUT_MS", 60_000, 10..=3_600_000);
        let streams = self.small("WEFT_HTTP2_STREAMS_MAX", 10_000, 1..=1_000_000);
        let stream_window = self.small("WEFT_HTTP2_STREAM_WINDOW_BYTES", 128 << 10, 64 << 10..=1 << 30);
        let connection_window = self.small("WEFT_HTTP2_CONNECTION_WINDOW_BYTES", 1 << 30, 64 << 10..=1 << 30);
        Some(Limits {
            head_bytes: head_bytes?,
            fields: fields?,
            line_bytes: line_bytes?,
            chunk_line_bytes: chunk_line_bytes?,
            interims: interims?,
            ahead_bytes: ahead_bytes?,
            idle_lines: idle_lines?,
            idle_time: idle_time?,
            streams: streams?,
            stream_window: stream_window?,
            connection_window: connection_window?,
        })
    }

    /// A number that fits into 32 bits, as all in `range` do.
    fn small(&mut self, name: &'static str, default: usize, range: RangeInclusive<usize>) -> Option<u32> {
        self.number(name, default, range).and_then(|number| u32::try_from(number).ok())
    }

    fn port(&mut self, name: &'static str, default: u16) -> Option<u16> {
        self.number(name, usize::from(default), 1..=65_535).and_then(|port| u16::try_from(port).ok())
    }

    fn optional_port(&mut self, name: &'static str) -> Option<Option<u16>> {
        // The default is of no interest: it is read only where something is said.
        if self.optional(name).is_none() { Some(None) } else { self.port(name, 1).map(Some) }
    }

    fn number(&mut self, name: &'static str, default: usize, range: RangeInclusive<usize>) -> Option<usize> {
        let Some(text) = self.optional(name) else { return Some(default) };
        let value = text.parse().ok().filter(|value| range.contains(value));
        if value.is_none() {
            self.wrong(name, &format!("`{text}` is not a whole number from {} to {}", range.start(), range.end()));
        }
        value
    }

    fn duration(&mut self, name: &'static str, default_ms: usize, range: RangeInclusive<usize>) -> Option<Duration> {
        self.number(name, default_ms, range).map(|ms| Duration::from_millis(ms as u64))
    }

    fn mark(&mut self, name: &'static str) -> Option<Option<u32>> {
        let Some(text) = self.optional(name) else { return Some(None) };
        let parsed = match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let mark = parsed.ok().filter(|mark| *mark != 0);
        if mark.is_none() {
            self.wrong(name, &format!("`{text}` is not a mark: a number from 1 to 0xffffffff, decimal or 0x…"));
        }
        mark.map(Some)
    }

    fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.text(name, "false").as_str() {
            "true" | "1" | "on" => Some(true),
            "false" | "0" | "off" => Some(false),
            other => {
                self.wrong(name, &format!("`{other}` is neither true nor false"));
                None
            }
        }
    }

    fn log(&mut self, name: &'static str, default: &str) -> Option<String> {
        let text = self.text(name, default);
        match tracing_subscriber::EnvFilter::try_new(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                self.wrong(name, &format!("`{text}` is not a log filter: {error}"));
                None
            }
        }
    }

    fn wrong(&mut self, variable: &'static str, why: &str) {
        self.mistakes.push(Mistake { variable, why: why.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct List(Vec<(&'static str, &'static str)>);

    impl Environment for List {
        fn get(&self, name: &str) -> Option<String> {
            self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        }
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let env = List(vec![
            ("WEFT_WORKERS", "0"),
            ("WEFT_CONTROL_XDS", "control"),
            ("WEFT_INBOUND_PORT", "70000"),
            ("WEFT_MARK", "0xzz"),
            ("WEFT_POD_IPS", "10.77.0.5,nonsense"),
            ("WEFT_TRUST_DOMAIN", "Not A Domain"),
        ]);
        let mistakes = read(&env, true).unwrap_err();
        let variables: Vec<_> = mistakes.iter().map(|mistake| mistake.variable).collect();
        for expected in [
            "WEFT_POD",
            "WEFT_WORKERS",
            "WEFT_CONTROL_XDS",
            "WEFT_CONTROL_CERTS",
            "WEFT_TRUST_BUNDLE",
            "WEFT_TOKEN_FILE",
            "WEFT_INBOUND_PORT",
            "WEFT_MARK",
            "WEFT_POD_IPS",
            "WEFT_TRUST_DOMAIN",
        ] {
            assert!(variables.contains(&expected), "{expected} is not among {variables:?}");
        }
    }

    #[test]
    fn a_standalone_proxy_needs_no_variable_at_all() {
        let settings = read(&List(Vec::new()), false).unwrap();
        assert_eq!(settings.ports, Ports { outbound: 17001, inbound: 17002, admin: 17003, redirect_check: None });
        assert!(settings.control.is_none());
    }

    #[test]
    fn an_address_with_brackets_is_a_host() {
        let host: super::super::HostPort = "[fd77::1]:17010".parse().unwrap();
        assert_eq!((host.host.as_str(), host.port, host.to_string().as_str()), ("fd77::1", 17010, "[fd77::1]:17010"));
    }
}
