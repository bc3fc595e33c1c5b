//! The app of a pod: how it is started, and when it may be called.

use std::{cell::Cell, ffi::OsStr, net::SocketAddr, path::Path, sync::Arc};

use tokio::{process::Child, sync::oneshot};

use super::{
    Place,
    inside::{self, Output},
    manifest::Planned,
    network::Home,
    pod::Given,
    probe::{Question, Rhythm},
    workload::{Companion, Workload},
};
use crate::processes::{
    again,
    app::{Launch, Whom},
};

/// Variable in which gRPC's own clients look for their bootstrap.
const BOOTSTRAP: &str = "GRPC_XDS_BOOTSTRAP_CONFIG";

/// What runs in a pod.
pub(crate) enum App {
    /// A program of a workload.
    Ours(Planned),
    /// Something of `weft run`, which is sent the namespaces once they are ready, if it is still there.
    Theirs(Cell<Option<oneshot::Sender<Arc<Home>>>>),
}

/// What to execute, given where its program was found.
pub(crate) fn command<'a>(workload: &'a Workload, program: &'a Path) -> Vec<&'a OsStr> {
    let rest = workload.spec.command.iter().skip(1).chain(&workload.spec.args);
    [program.as_os_str()].into_iter().chain(rest.map(OsStr::new)).collect()
}

/// Starts `command` as the app of `given`.
///
/// # Errors
/// A process cannot be started; that the program cannot be executed shows later, in how the process ends.
pub(crate) fn start(
    given: &Given,
    workload: &Workload,
    command: &[&OsStr],
    place: &Place,
    home: &Home,
    output: Output,
) -> anyhow::Result<Child> {
    let mut app = again("__app", &launch(given, workload, place))?;
    app.args(command);
    inside::spawn(app, &[&home.network, &home.mounts], output)
}

fn launch(given: &Given, workload: &Workload, place: &Place) -> Launch {
    let mut env = vec![(String::from("HOSTNAME"), given.key.name.clone())];
    if given.companion == Companion::Agent {
        let bootstrap = proxy::bootstrap(&given.key.name, &given.key.namespace, proxy::AGENT_ADDRESS);
        env.push((BOOTSTRAP.to_owned(), bootstrap));
    }
    env.extend(workload.spec.env.iter().map(|variable| (variable.name.clone(), variable.value.clone())));
    let directory = place.directory.join(workload.spec.working_dir.as_deref().unwrap_or(Path::new("")));
    let become_whom =
        whom(place.ordinary, workload.spec.security_context.run_as_user, workload.spec.security_context.run_as_group);
    Launch { directory, env, become_whom, own_session: true, die_with_parent: false, files_max: place.files_max }
}

/// Without root, any number is just another name for the person; with root, it is somebody else.
fn whom(ordinary: Option<(u32, u32)>, user: Option<u32>, group: Option<u32>) -> Whom {
    match (ordinary, user, group) {
        (Some((own_user, own_group)), user, group) => Whom::Mapped(user.unwrap_or(own_user), group.unwrap_or(own_group)),
        (None, None, None) => Whom::Ourselves,
        (None, user, group) => Whom::User(user.unwrap_or(0), group.or(user).unwrap_or(0)),
    }
}

/// What to ask an app before it is called: what its manifest says, or else whether its first port accepts connections.
pub(crate) fn question(given: &Given) -> (Question, Rhythm) {
    let Some(address) = given.addresses.first() else { return (Question::None, Rhythm::eager()) };
    let at = |port| SocketAddr::new(*address, port);
    let App::Ours(Planned { workload, .. }) = &given.app else { return (first_port(given, at), Rhythm::eager()) };
    let Some(probe) = &workload.spec.readiness_probe else { return (first_port(given, at), Rhythm::eager()) };
    let port = |port| at(workload.port(port).unwrap_or_default());
    let question = match (&probe.http_get, &probe.tcp_socket, &probe.exec) {
        (Some(get), ..) => Question::Get(port(&get.port), get.path.clone()),
        (_, Some(socket), _) => Question::Connect(port(&socket.port)),
        (_, _, Some(exec)) => Question::Execute(exec.command.clone()),
        _ => Question::None,
    };
    (question, Rhythm::of(probe))
}

fn first_port(given: &Given, at: impl Fn(u16) -> SocketAddr) -> Question {
    given.ports.first().map_or(Question::None, |port| Question::Connect(at(port.container_port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_root_the_app_is_the_person_by_whatever_number() {
        assert_eq!(whom(Some((1000, 1000)), None, None), Whom::Mapped(1000, 1000));
        assert_eq!(whom(Some((1000, 1000)), Some(999), None), Whom::Mapped(999, 1000));
    }

    #[test]
    fn with_root_the_app_is_root_unless_said_otherwise() {
        assert_eq!(whom(None, None, None), Whom::Ourselves);
        assert_eq!(whom(None, Some(999), None), Whom::User(999, 999));
        assert_eq!(whom(None, Some(999), Some(5)), Whom::User(999, 5));
    }
}
