//! One thread, many connections, each a lane in which one exchange follows another.

use std::{
    collections::{BTreeSet, VecDeque},
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use hdrhistogram::Histogram;
use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
    io::Errno,
    time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime},
};

use super::{
    order::{Keep, Lanes, Order, Pace, Until},
    pace::Arrivals,
    reply::Reply,
    tally::{Latency, Tally},
};
use crate::clock;

/// What one read may bring.
const BUFFER: usize = 256 * 1024;

const EVENTS: usize = 256;

/// Number of the timer among what is waited for.
const TIMER: u64 = u64::MAX;

const DIAL: Duration = Duration::from_secs(5);

/// Without any event for so long, something is stuck.
const STUCK: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// For requests that were due to be answered, after the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Carries the order out.
///
/// # Errors
/// Nothing can be dialled, or nothing is heard any more.
pub(super) fn run(order: &Order, lanes: &Lanes) -> anyhow::Result<Tally> {
    Running::begin(order, lanes)?.run()
}

struct Running<'a> {
    target: SocketAddr,
    lanes: &'a Lanes,
    question: Vec<u8>,
    epoll: OwnedFd,
    /// Wakes us when a request is due: epoll's own timeout is too coarse.
    timer: OwnedFd,
    open: Vec<Lane>,
    /// Lanes that have nothing to do.
    idle: Vec<usize>,
    /// Requests that are due and have no lane, by the time they were due.
    waiting: VecDeque<Instant>,
    /// Lanes that had no answer yet.
    unanswered: BTreeSet<usize>,
    arrivals: Arrivals,
    began: Instant,
    end: Instant,
    buffer: Vec<u8>,
    recorded: Histogram<u64>,
    tally: Tally,
}

struct Lane {
    stream: TcpStream,
    reply: Reply,
    /// When what is asked was due.
    due: Instant,
}

impl<'a> Running<'a> {
    fn begin(order: &Order, lanes: &'a Lanes) -> anyhow::Result<Self> {
        let began = clock::now();
        let end = began + order.time;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)?;
        let mut running = Self {
            target: order.target,
            lanes,
            question: lanes.exchange.question(),
            epoll,
            timer,
            open: Vec::new(),
            idle: Vec::new(),
            waiting: VecDeque::new(),
            unanswered: (0..usize::try_from(lanes.connections)?).collect(),
            arrivals: Arrivals::new(lanes.pace, began, end),
            began,
            end,
            buffer: vec![0; BUFFER],
            recorded: Histogram::new(3)?,
            tally: Tally::default(),
        };
        for number in running.unanswered.clone() {
            let lane = running.dial(number)?;
            running.open.push(lane);
            running.idle.push(number);
        }
        Ok(running)
    }

    fn run(mut self) -> anyhow::Result<Tally> {
        let mut events: Vec<Event> = Vec::with_capacity(EVENTS);
        loop {
            let now = clock::now();
            if self.is_over(now) {
                break;
            }
            self.begin_what_is_due(now)?;
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&STUCK)) {
                Err(Errno::INTR) => continue,
                heard => ensure!(heard? > 0, "{} answers came, and then none for 5 s", self.tally.requests),
            }
            for event in events.drain(..).filter(|event| event.data.u64() != TIMER) {
                self.hear(usize::try_from(event.data.u64())?)?;
            }
        }
        // Of a fixed rate, what was due and not answered is an error; a closed loop is cut off where it is.
        if self.lanes.pace != Pace::Closed {
            self.tally.errors += u64::try_from(self.waiting.len() + self.open.len() - self.idle.len())?;
        }
        self.tally.seconds = self.began.elapsed().as_secs_f64();
        self.tally.latency = Latency::of(&self.recorded);
        Ok(self.tally)
    }

    fn is_over(&self, now: Instant) -> bool {
        match (self.lanes.until, self.lanes.pace) {
            (Until::Count(most), _) => self.tally.requests + self.tally.errors >= most,
            (_, Pace::Steady(_) | Pace::Random(_)) => now >= self.end && (self.nothing_is_asked() || now >= self.end + DRAIN),
            (Until::TimeAndAnswers, Pace::Closed) => now >= self.end && self.unanswered.is_empty(),
            (Until::Time, Pace::Closed) => now >= self.end,
        }
    }

    fn nothing_is_asked(&self) -> bool {
        self.waiting.is_empty() && self.idle.len() == self.open.len()
    }

    fn begin_what_is_due(&mut self, now: Instant) -> anyhow::Result<()> {
        if self.lanes.pace == Pace::Closed {
            while let Some(number) = self.idle.pop() {
                self.ask(number, now)?;
            }
            return Ok(());
        }
        while let Some(due) = self.arrivals.take_due(now) {
            self.waiting.push_back(due);
        }
        while !self.waiting.is_empty() {
            let Some(number) = self.idle.pop() else { break };
            let due = self.waiting.pop_front().unwrap_or(now);
            self.ask(number, due)?;
        }
        let latest = if now < self.end { self.end } else { self.end + DRAIN };
        self.set_timer(self.arrivals.next().unwrap_or(latest).saturating_duration_since(now))
    }

    /// Sets the timer, or stops it with no time at all.
    fn set_timer(&self, time: Duration) -> anyhow::Result<()> {
        let value = Timespec { tv_sec: i64::try_from(time.as_secs())?, tv_nsec: time.subsec_nanos().into() };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }

    /// Waits until the connection is there: to a sidecar beside us that takes no time worth counting.
    fn dial(&self, number: usize) -> anyhow::Result<Lane> {
        let stream =
            TcpStream::connect_timeout(&self.target, DIAL).with_context(|| format!("cannot connect to {}", self.target))?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        epoll::add(&self.epoll, &stream, EventData::new_u64(number.try_into()?), EventFlags::IN)?;
        Ok(Lane { stream, reply: Reply::to(&self.lanes.exchange), due: self.began })
    }

    fn ask(&mut self, number: usize, due: Instant) -> anyhow::Result<()> {
        let lane = &mut self.open[number];
        (lane.reply, lane.due) = (Reply::to(&self.lanes.exchange), due);
        // Questions are small, and nothing else is on the line: they fit.
        if lane.stream.write_all(&self.question).is_err() {
            self.fail(number)?;
        }
        Ok(())
    }

    fn hear(&mut self, number: usize) -> anyhow::Result<()> {
        let lane = &mut self.open[number];
        let read = match lane.stream.read(&mut self.buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(_) | Ok(0) => return self.fail(number),
            Ok(read) => read,
        };
        match lane.reply.take(&self.buffer[..read]) {
            Ok(false) => Ok(()),
            Ok(true) => self.finish(number),
            Err(_) => self.fail(number),
        }
    }

    fn finish(&mut self, number: usize) -> anyhow::Result<()> {
        self.tally.requests += 1;
        self.unanswered.remove(&number);
        let now = clock::now();
        let took = now.saturating_duration_since(self.open[number].due);
        self.recorded.record(u64::try_from(took.as_micros())?)?;
        if self.lanes.keep == Keep::Close {
            self.open[number] = self.dial(number)?;
        }
        if self.lanes.pace == Pace::Closed && !matches!(self.lanes.until, Until::Count(_)) {
            return self.ask(number, now);
        }
        self.idle.push(number);
        Ok(())
    }

    /// Counts an exchange that went wrong, or a connection that was closed; its lane goes on with a new one.
    fn fail(&mut self, number: usize) -> anyhow::Result<()> {
        self.tally.errors += 1;
        self.open[number] = self.dial(number)?;
        if !self.idle.contains(&number) {
            self.idle.push(number);
        }
        Ok(())
    }
}
