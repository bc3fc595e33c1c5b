//! What to start and what to stop, so that what runs becomes what is wanted. Pure.
//!
//! A workload whose description changed is replaced one replica at a time: a new one is started, and an old one is stopped
//! once enough are ready without it.

use std::collections::BTreeSet;

use super::manifest::Key;

/// A workload as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) workload: Key,
    pub(crate) replicas: u32,
    /// What it runs; a pod that runs something else is out of date.
    pub(crate) template: String,
}

/// A pod as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) workload: Key,
    pub(crate) index: u32,
    pub(crate) template: String,
    pub(crate) ready: bool,
    /// It is on its way out already.
    pub(crate) leaving: bool,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start { workload: Key, index: u32 },
    Stop { workload: Key, index: u32 },
}

/// Everything to be done now. To be asked again whenever something changed.
pub(crate) fn plan(wanted: &[Wanted], running: &[Running]) -> Vec<Action> {
    let mut actions = Vec::new();
    let known: BTreeSet<&Key> = wanted.iter().map(|wanted| &wanted.workload).collect();
    let unknown = running.iter().filter(|pod| !known.contains(&pod.workload) && !pod.leaving);
    actions.extend(unknown.map(stop));
    for workload in wanted {
        let pods: Vec<&Running> = running.iter().filter(|pod| pod.workload == workload.workload).collect();
        one(workload, &pods, &mut actions);
    }
    actions
}

fn one(wanted: &Wanted, pods: &[&Running], actions: &mut Vec<Action>) {
    let replicas = wanted.replicas as usize;
    let (mut current, mut old): (Vec<&Running>, Vec<&Running>) =
        pods.iter().copied().filter(|pod| !pod.leaving).partition(|pod| pod.template == wanted.template);

    // While there are old ones, one more than wanted may run, so that none is missed while its successor starts.
    let ceiling = if old.is_empty() { replicas } else { replicas + usize::from(replicas > 0) };
    let missing = replicas.saturating_sub(current.len());
    let starting = missing.min(ceiling.saturating_sub(current.len() + old.len()));
    let taken: BTreeSet<u32> = pods.iter().map(|pod| pod.index).collect();
    let free = (0..).filter(|index| !taken.contains(index));
    actions.extend(free.take(starting).map(|index| Action::Start { workload: wanted.workload.clone(), index }));

    // Scaled down: the youngest go first, those not ready before all others.
    current.sort_by_key(|pod| (!pod.ready, pod.index));
    let surplus = current.split_off(current.len().min(replicas));
    actions.extend(surplus.into_iter().map(stop));

    // What is old and not ready serves nobody. What is ready may go as far as enough others are.
    old.sort_by_key(|pod| pod.ready);
    let mut ready = current.iter().chain(&old).filter(|pod| pod.ready).count();
    for pod in old {
        if !pod.ready {
            actions.push(stop(pod));
        } else if ready > replicas {
            ready -= 1;
            actions.push(stop(pod));
        }
    }
}

fn stop(pod: &Running) -> Action {
    Action::Stop { workload: pod.workload.clone(), index: pod.index }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cart(replicas: u32, template: &str) -> Vec<Wanted> {
        vec![Wanted { workload: Key::new("default", "cart"), replicas, template: template.to_owned() }]
    }

    fn pod(index: u32, template: &str, ready: bool) -> Running {
        Running { workload: Key::new("default", "cart"), index, template: template.to_owned(), ready, leaving: false }
    }

    fn leaving(index: u32) -> Running {
        Running { leaving: true, ..pod(index, "v1", false) }
    }

    /// Actions as `+0` and `-1`.
    fn told(wanted: &[Wanted], running: &[Running]) -> Vec<String> {
        let tell = |action: Action| match action {
            Action::Start { index, .. } => format!("+{index}"),
            Action::Stop { index, .. } => format!("-{index}"),
        };
        plan(wanted, running).into_iter().map(tell).collect()
    }

    #[test]
    fn what_is_missing_is_started_all_at_once() {
        assert_eq!(told(&cart(3, "v1"), &[pod(1, "v1", true)]), ["+0", "+2"]);
    }

    #[test]
    fn the_number_of_a_pod_that_leaves_is_not_free_yet() {
        assert_eq!(told(&cart(1, "v1"), &[leaving(0)]), ["+1"]);
    }

    #[test]
    fn scaling_down_stops_the_youngest_and_first_those_that_serve_nobody() {
        assert_eq!(told(&cart(1, "v1"), &[pod(0, "v1", true), pod(1, "v1", true), pod(2, "v1", true)]), ["-1", "-2"]);
        assert_eq!(told(&cart(1, "v1"), &[pod(0, "v1", false), pod(1, "v1", true)]), ["-0"]);
        assert_eq!(told(&cart(0, "v1"), &[pod(0, "v1", true)]), ["-0"]);
    }

    #[test]
    fn what_is_wanted_no_more_is_stopped_once() {
        assert_eq!(told(&[], &[pod(0, "v1", true), leaving(1)]), ["-0"]);
    }

    #[test]
    fn a_change_replaces_replicas_one_by_one_and_never_runs_short() {
        let wanted = cart(2, "v2");
        let (old0, old1) = (pod(0, "v1", true), pod(1, "v1", true));
        assert_eq!(told(&wanted, &[old0.clone(), old1.clone()]), ["+2"]);
        assert_eq!(told(&wanted, &[old0.clone(), old1.clone(), pod(2, "v2", false)]), [""; 0]);
        assert_eq!(told(&wanted, &[old0, old1.clone(), pod(2, "v2", true)]), ["-0"]);
        assert_eq!(told(&wanted, &[leaving(0), old1.clone(), pod(2, "v2", true)]), ["+3"]);
        assert_eq!(told(&wanted, &[old1, pod(2, "v2", true), pod(3, "v2", true)]), ["-1"]);
        assert_eq!(told(&wanted, &[pod(2, "v2", true), pod(3, "v2", true)]), [""; 0]);
    }

    #[test]
    fn an_old_version_that_never_got_ready_makes_way_at_once() {
        assert_eq!(told(&cart(1, "v2"), &[pod(0, "v1", false)]), ["+1", "-0"]);
    }

    #[test]
    fn every_sequence_of_readiness_ends_with_what_is_wanted() {
        let wanted = cart(3, "v2");
        let mut running = vec![pod(0, "v1", true), pod(1, "v1", true), pod(2, "v1", false)];
        for _ in 0..20 {
            let actions = plan(&wanted, &running);
            for action in actions {
                match action {
                    Action::Start { index, .. } => running.push(pod(index, "v2", false)),
                    Action::Stop { index, .. } => running.retain(|pod| pod.index != index),
                }
            }
            assert!(running.iter().filter(|pod| pod.ready).count() >= 2, "{running:?}");
            running.iter_mut().for_each(|pod| pod.ready = true);
        }
        assert_eq!(running.len(), 3);
        assert!(running.iter().all(|pod| pod.template == "v2"));
    }
}
