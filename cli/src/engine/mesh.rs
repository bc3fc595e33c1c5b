//! The loop that owns what changes: what is wanted, which pods there are, who is told.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use anyhow::Context as _;
use control::manifest::Problem;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{
    Place,
    addresses::{Pods, Services},
    app::App,
    dns,
    folder::Folder,
    join::Joining,
    manifest::{self, Accepted, Config, Key, Planned, is_label},
    plan::{self, Action, Wanted},
    pod::{self, Given, News, Stop},
    state,
    table::{self, Pod, Table},
    words,
    workload::{Companion, labels_or_name},
};
use crate::{clock, demo};

/// Whatever happens to a mesh.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something happened to the pod of this name and number.
    Pod(Key, u64, News),
    /// Somebody wants to join.
    Join(Joining),
    /// He has left.
    Left(Key, u64),
    /// The demo asks or orders something.
    Demo(demo::Order),
}

/// A running mesh.
pub(crate) struct Mesh {
    place: Rc<Place>,
    config: Config,
    table: Table,
    numbers: Numbers,
    pod_addresses: Pods,
    service_addresses: Services,
    state: state::Folder,
    names: dns::Shared,
    sender: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
    /// Those who want the name of a pod that is on its way out.
    waiting: Vec<Joining>,
    /// What keeps single workloads down. Said once.
    warnings: Vec<Problem>,
    /// What is wrong with the directory as it is now, if it is not in force. Said once.
    problems: Vec<Problem>,
    ending: bool,
}

/// Numbers of pods; none is used twice.
#[derive(Debug, Default)]
struct Numbers {
    last: u64,
    /// Of the pods that there are.
    current: BTreeMap<Key, u64>,
}

impl Mesh {
    pub(crate) fn new(place: Rc<Place>, names: dns::Shared) -> anyhow::Result<Self> {
        let (sender, events) = unbounded_channel();
        let state = state::Folder::create(&place.private.join("state")).context("cannot make control's directory")?;
        Ok(Self {
            config: Config::default(),
            table: Table::new(),
            numbers: Numbers::default(),
            pod_addresses: Pods::new(place.ipv6),
            service_addresses: Services::default(),
            state,
            names,
            sender,
            events,
            waiting: Vec::new(),
            warnings: Vec::new(),
            problems: Vec::new(),
            ending: false,
            place,
        })
    }

    /// Where events are sent.
    pub(crate) fn events(&self) -> UnboundedSender<Event> {
        self.sender.clone()
    }

    /// Runs until `until` resolves and all pods are gone.
    pub(crate) async fn run(&mut self, until: impl Future<Output = ()>) {
        self.settle();
        let mut folder = Folder::watch(&self.place.directory);
        tokio::pin!(until);
        while !(self.ending && self.table.is_empty()) {
            let ending = self.ending;
            tokio::select! {
                Some(event) = self.events.recv() => self.handle(event),
                () = folder.changed(), if !ending => self.look(),
                () = &mut until, if !ending => self.end(),
            }
            self.settle();
        }
    }

    /// Says what there is to be run.
    pub(crate) fn introduce(&self) {
        let (services, workloads) = (self.config.services.len(), self.config.workloads.len());
        let shown = words::relative(&self.place.directory);
        let counted = format!("{} and {}", words::count(workloads, "workload"), words::count(services, "service"));
        self.place.console.say(format_args!("{}: {counted}; edits take effect at once, Ctrl-C ends it", shown.display()));
    }

    /// Takes over a new description.
    pub(crate) fn accept(&mut self, accepted: Accepted) {
        if accepted.warnings != self.warnings {
            words::tell(&self.place.console, &accepted.warnings);
            self.warnings = accepted.warnings;
        }
        self.config = accepted.config;
    }

    fn look(&mut self) {
        match manifest::read(&self.place.directory) {
            Ok(accepted) => {
                let recovered = !std::mem::take(&mut self.problems).is_empty();
                if accepted.config != self.config {
                    self.place.console.say("the edit is accepted");
                } else if recovered {
                    self.place.console.say("the description is good again, and the same as before");
                }
                self.accept(accepted);
            }
            Err(problems) if problems == self.problems => {}
            Err(problems) => {
                words::tell(&self.place.console, &problems);
                self.place.console.say("the last good description stays in force");
                self.problems = problems;
            }
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Pod(key, number, news) if self.numbers.current.get(&key) == Some(&number) => self.hear(&key, news),
            Event::Pod(..) => {}
            Event::Join(joining) => self.join(joining),
            // The app is gone already: there is nothing to be polite about.
            Event::Left(key, number) if self.numbers.current.get(&key) == Some(&number) => self.stop(&key, Stop::AtOnce),
            Event::Left(..) => {}
            Event::Demo(order) => self.obey(order),
        }
    }

    fn hear(&mut self, key: &Key, news: News) {
        let Some(pod) = self.table.get_mut(key) else { return };
        match news {
            News::Token(hash, known) => {
                pod.token = Some(hash);
                self.publish();
                let _ = known.send(());
            }
            News::Ready(ready) => pod.ready = ready,
            News::Gone => {
                let left = pod.leaving.is_some();
                let replica = pod.replica.is_some();
                self.table.remove(key);
                self.numbers.current.remove(key);
                if left && replica && !self.ending {
                    self.place.console.say(format_args!("{key} is gone"));
                }
                std::mem::take(&mut self.waiting).into_iter().for_each(|joining| self.join(joining));
            }
        }
    }

    fn obey(&mut self, order: demo::Order) {
        match order {
            demo::Order::Replace(key) => self.stop(&key, Stop::Politely),
            demo::Order::List(answer) => {
                let listed = self.table.values().filter_map(|pod| pod.addresses.first().copied());
                let _ = answer.send(listed.collect());
            }
        }
    }

    fn end(&mut self) {
        self.ending = true;
        self.place.console.say("ending; Ctrl-C again ends it at once");
        let keys: Vec<Key> = self.table.keys().cloned().collect();
        keys.iter().for_each(|key| self.stop(key, Stop::AtOnce));
    }

    /// Starts and stops what has to be, and tells control and DNS how things are now.
    fn settle(&mut self) {
        if !self.ending {
            for action in plan::plan(&self.wanted(), &table::running(&self.table)) {
                match action {
                    Action::Start { workload, index } => self.start(&workload, index),
                    Action::Stop { workload, index } => {
                        let replica = Some((workload, index));
                        let key = self.table.iter().find(|(_, pod)| pod.replica == replica).map(|(key, _)| key.clone());
                        key.iter().for_each(|key| self.stop(key, Stop::Politely));
                    }
                }
            }
        }
        self.publish();
    }

    fn wanted(&self) -> Vec<Wanted> {
        let wanted = |(key, planned): (&Key, &Planned)| Wanted {
            workload: key.clone(),
            // Without its program it can only fail; it is started as soon as the program is there.
            replicas: if planned.program.is_some() { planned.workload.spec.replicas } else { 0 },
            template: template(planned),
        };
        self.config.workloads.iter().map(wanted).collect()
    }

    fn start(&mut self, key: &Key, index: u32) {
        let Some(planned) = self.config.workloads.get(key).cloned() else { return };
        let pod = Key::new(&key.namespace, &format!("{}-{index}", key.name));
        if self.table.contains_key(&pod) {
            return;
        }
        let workload = planned.workload.clone();
        let seen = Pod {
            replica: Some((key.clone(), index)),
            template: template(&planned),
            labels: workload.labels(),
            service_account: workload.spec.service_account_name.clone(),
            ports: workload.spec.ports.clone(),
            companion: workload.companion(),
            ..Pod::unborn()
        };
        self.begin(pod, seen, App::Ours(planned));
    }

    /// Gives `seen` what every pod needs, and lets it live. Returns its number.
    fn begin(&mut self, key: Key, mut seen: Pod, app: App) -> Option<u64> {
        let Some(addresses) = self.pod_addresses.next(&table::addresses(&self.table)) else {
            self.place.console.say(format_args!("{key} cannot be started: all addresses are taken"));
            return None;
        };
        self.numbers.last += 1;
        let number = self.numbers.last;
        seen.uid = table::uid();
        seen.addresses = addresses;
        let given = Given {
            number,
            workload: seen.workload(&key).to_owned(),
            service_account: seen.service_account.clone(),
            addresses: seen.addresses.clone(),
            ports: seen.ports.clone(),
            companion: seen.companion,
            key: key.clone(),
            app,
        };
        tokio::task::spawn_local(pod::live(given, self.place.clone(), self.sender.clone(), seen.stop.subscribe()));
        self.numbers.current.insert(key.clone(), number);
        self.table.insert(key, seen);
        Some(number)
    }

    fn stop(&mut self, key: &Key, how: Stop) {
        let Some(pod) = self.table.get_mut(key) else { return };
        if pod.leaving.is_none() {
            pod.leaving = Some(clock::now());
        }
        pod.stop.send_replace(how);
    }

    fn join(&mut self, joining: Joining) {
        let key = Key::new(&joining.request.namespace, &joining.request.name);
        if self.table.get(&key).is_some_and(|pod| pod.leaving.is_some()) {
            return self.waiting.push(joining);
        }
        let Joining { request, admitted, home } = joining;
        let wrong = [("name", &request.name), ("namespace", &request.namespace), ("service account", &request.service_account)]
            .into_iter()
            .find(|(_, name)| !is_label(name));
        let refusal = match wrong {
            Some((what, name)) => Some(format!("`{name}` cannot be the {what}: lower-case letters, digits and - only")),
            None if self.table.contains_key(&key) => Some(format!("there is a pod {key} already; choose another --name")),
            None if self.ending => Some(String::from("the mesh is ending")),
            None => None,
        };
        if let Some(refusal) = refusal {
            let _ = admitted.send(Err(refusal));
            return;
        }
        let seen = Pod {
            labels: labels_or_name(&request.labels, &request.name),
            service_account: request.service_account,
            ports: table::ports(&request.ports),
            companion: Companion::Sidecar,
            ..Pod::unborn()
        };
        let app = App::Theirs(Cell::new(Some(home)));
        let number = self.begin(key.clone(), seen, app);
        let _ = admitted.send(number.map(|number| (key, number)).ok_or_else(|| String::from("all addresses are taken")));
    }

    fn publish(&mut self) {
        self.service_addresses.assign(&self.config.services);
        let files = state::objects(&self.config, &self.service_addresses, &self.table);
        if let Err(error) = self.state.write(files) {
            self.place.console.say(format_args!("control cannot be told of changes: {error}"));
        }
        self.names.replace(dns::Names::new(&self.config.services, &self.service_addresses, &self.table));
    }
}

fn template(planned: &Planned) -> String {
    format!("{} {:?}", planned.workload.template(), planned.program)
}
