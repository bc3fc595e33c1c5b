//! Namespaces that processes live in. This program is run again to be those processes.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::{CommandExt, parent_id},
    process::{Child, ChildStdout, Command, ExitCode, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use kernel::{
    link, mount,
    namespace::{self, Kind, Namespace},
    redirect::{self, RedirectError},
};

use crate::{
    Test,
    world::{inside, new_network, rules},
};

pub(crate) const TESTS: &[Test] = &[
    ("a_command_spawned_in_namespaces_runs_there", a_command_spawned_in_namespaces_runs_there),
    ("a_namespace_lives_as_long_as_its_handle", a_namespace_lives_as_long_as_its_handle),
    ("a_namespace_that_needs_a_process_is_not_made_without", kinds_that_need_a_process),
    ("an_ordinary_user_becomes_root_of_what_he_makes", an_ordinary_user_becomes_root),
    ("who_becomes_ordinary_has_no_power_over_the_pod", who_becomes_ordinary_has_no_power),
    ("the_first_process_of_a_new_tree_sees_it_alone", the_first_process_sees_its_tree_alone),
    ("a_process_dies_with_its_parent", a_process_dies_with_its_parent),
    ("a_process_whose_parent_is_gone_is_told", a_process_whose_parent_is_gone_is_told),
];

/// The first argument that makes this program another process; the second says which.
pub(crate) const ANOTHER: &str = "another";

/// Is that process.
pub(crate) fn be(which: &str) -> ExitCode {
    match which {
        "where" => println!("{} {}", own("net"), own("mnt")),
        "root" => {
            namespace::become_root().unwrap();
            let made = inside(&new_network(), || link::create_bridge("weft0").is_ok());
            println!("{} {made}", rustix::process::geteuid().as_raw());
        }
        "ordinary" => {
            namespace::become_ordinary(1234, 4321).unwrap();
            let refused = matches!(redirect::install(&rules()), Err(RedirectError::NotAllowed));
            println!("{} {} {refused}", rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        }
        "leaver" => {
            let before = own("net");
            namespace::leave_for_new(&[Kind::Network, Kind::Process, Kind::Mount]).unwrap();
            assert_ne!(own("net"), before);
            assert!(another("first").status().unwrap().success());
        }
        "first" => {
            mount::fresh_proc().unwrap();
            let numbers = fs::read_dir("/proc")
                .unwrap()
                .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().parse::<u32>().is_ok());
            println!("{} {}", std::process::id(), numbers.count());
        }
        "parent" => drop(another("mortal").spawn().unwrap().wait().unwrap()),
        "mortal" => {
            namespace::die_with_parent(Some(parent_id())).unwrap();
            println!("ready");
            thread::sleep(Duration::from_secs(60));
        }
        "orphan" => println!("{}", namespace::die_with_parent(Some(parent_id() + 1)).is_err()),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}

fn own(kind: &str) -> String {
    fs::read_link(format!("/proc/thread-self/ns/{kind}")).unwrap().to_str().unwrap().to_owned()
}

fn another(which: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.args([ANOTHER, which]);
    command
}

/// What the process says before it ends well.
fn said(command: &mut Command) -> String {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn a_command_spawned_in_namespaces_runs_there() {
    let (network, mounts) = (new_network(), Namespace::new(Kind::Mount).unwrap());
    let there =
        namespace::within(&[&network, &mounts], || (said(&mut another("where")), format!("{} {}", own("net"), own("mnt"))));
    let (child, thread) = there.unwrap();
    assert_eq!(child, thread);
    let here = format!("{} {}", own("net"), own("mnt"));
    assert_eq!(said(&mut another("where")), here);
    for (there, here) in child.split(' ').zip(here.split(' ')) {
        assert_ne!(there, here);
    }
}

fn a_namespace_lives_as_long_as_its_handle() {
    let pod = new_network();
    inside(&pod, || link::create_bridge("weft0").unwrap());
    assert!(inside(&pod, || link::exists("weft0")));
    assert!(!inside(&new_network(), || link::exists("weft0")));
}

fn kinds_that_need_a_process() {
    for kind in [Kind::User, Kind::Process] {
        assert_eq!(Namespace::new(kind).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    }
}

fn an_ordinary_user_becomes_root() {
    let mut command = another("root");
    // Where this runs as an ordinary user, it is in such a namespace already and has no other user to be.
    if fs::read_to_string("/proc/self/uid_map").unwrap().trim_end().ends_with("4294967295") {
        command.uid(65534).gid(65534);
    }
    assert_eq!(said(&mut command), "0 true");
}

fn who_becomes_ordinary_has_no_power() {
    assert_eq!(said(&mut another("ordinary")), "1234 4321 true");
}

fn the_first_process_sees_its_tree_alone() {
    assert_eq!(said(&mut another("leaver")), "1 1");
}

fn a_process_dies_with_its_parent() {
    let (mut parent, mut heard) = start("parent");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let (ended, ends) = mpsc::channel();
    thread::spawn(move || {
        // The pipe ends when nobody holds it any more.
        heard.read_to_end(&mut Vec::new()).unwrap();
        ended.send(()).unwrap();
    });
    ends.recv_timeout(Duration::from_secs(20)).expect("it goes on by itself");
}

fn start(which: &str) -> (Child, BufReader<ChildStdout>) {
    let mut child = another(which).stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, heard)
}

fn a_process_whose_parent_is_gone_is_told() {
    assert_eq!(said(&mut another("orphan")), "true");
}
