//! Namespaces, links and redirect rules, for real: two pods on a bridge, in namespaces of their own.
//!
//! Runs as root and as an ordinary user alike.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, ExitCode},
    thread,
    time::Duration,
};

use kernel::{
    link,
    namespace::{self, Kind, Namespace},
    redirect::{self, Change, RedirectError, Rules},
};
use libtest_mimic::{Arguments, Failed, Trial};
use socket2::{Domain, SockRef, Socket, Type};

const OUTBOUND: u16 = 17001;
const INBOUND: u16 = 17002;
const MARK: u32 = 0x7717;

/// An address of no machine: whoever connects to it gets somewhere only by redirection.
const VIRTUAL: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(10, 96, 0, 5)), IpAddr::V6(Ipv6Addr::new(0xfd96, 0, 0, 0, 0, 0, 0, 5))];

fn main() -> ExitCode {
    // Before libtest-mimic starts threads: afterwards the kernel would refuse.
    if !is_root()
        && let Err(error) = namespace::become_root()
    {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let tests: [(&str, fn()); 9] = [
        ("calls_of_the_app_arrive_at_the_proxy_with_their_destination", calls_of_the_app_arrive),
        ("calls_to_the_app_arrive_at_the_proxy_with_their_destination", calls_to_the_app_arrive),
        ("what_is_exempt_is_left_alone", what_is_exempt_is_left_alone),
        ("loopback_is_left_alone", loopback_is_left_alone),
        ("installing_twice_changes_nothing", installing_twice_changes_nothing),
        ("other_rules_replace_the_earlier_ones", other_rules_replace_the_earlier_ones),
        ("a_rule_that_was_tampered_with_is_named", a_rule_that_was_tampered_with_is_named),
        ("removing_leaves_nothing_and_may_be_repeated", removing_leaves_nothing),
        ("a_command_spawned_in_a_namespace_runs_there", a_command_spawned_in_a_namespace_runs_there),
    ];
    let trials = tests.into_iter().map(|(name, test)| {
        Trial::test(name, move || -> Result<(), Failed> {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

fn is_root() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("Uid:\t0\t"))
}

fn calls_of_the_app_arrive() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        for address in VIRTUAL {
            let proxy = listen(OUTBOUND, address);
            let app = thread::spawn(move || TcpStream::connect((address, 80)).unwrap());
            let (stream, _) = proxy.accept().unwrap();
            assert_eq!(original(&stream), SocketAddr::from((address, 80)));
            drop(app.join().unwrap());
        }
    });
}

fn calls_to_the_app_arrive() {
    let (caller, called) = (Namespace::new(Kind::Network).unwrap(), Namespace::new(Kind::Network).unwrap());
    inside(&caller, || {
        link::set_up("lo").unwrap();
        link::create_veth("eth0", "eth0", &called).unwrap();
        join(1);
    });
    inside(&called, || {
        link::set_up("lo").unwrap();
        join(2);
        redirect::install(&rules()).unwrap();
    });
    for address in [host(2), IpAddr::V6(host6(2))] {
        let proxy = inside(&called, || listen(INBOUND, address));
        let skipped = inside(&called, || TcpListener::bind((address, 9)).unwrap());
        let stream = inside(&caller, || TcpStream::connect((address, 8080)).unwrap());
        let (accepted, _) = proxy.accept().unwrap();
        assert_eq!(original(&accepted), SocketAddr::from((address, 8080)));
        drop(stream);
        drop(inside(&caller, || TcpStream::connect((address, 9)).unwrap()));
        drop(skipped.accept().unwrap());
    }
}

fn what_is_exempt_is_left_alone() {
    in_pod(|| {
        let rules = Rules {
            skip_outbound: vec!["5432".parse().unwrap(), "6000-6010".parse().unwrap()],
            skip_subnets: vec!["10.97.0.0/16".parse().unwrap()],
            ..rules()
        };
        redirect::install(&rules).unwrap();
        let _proxy = listen(OUTBOUND, VIRTUAL[0]);
        let goes = |to: &str, mark: Option<u32>| connects(to.parse().unwrap(), mark);
        assert!(goes("10.96.0.5:80", None), "the rules are in force");
        assert!(!goes("10.96.0.5:5432", None), "a skipped port");
        assert!(!goes("10.96.0.5:6005", None), "a skipped range");
        assert!(goes("10.96.0.5:6011", None), "just outside of it");
        assert!(!goes("10.97.3.4:80", None), "a skipped subnet");
        assert!(!goes("10.96.0.5:80", Some(MARK)), "the proxy's mark");
        assert!(goes("10.96.0.5:80", Some(MARK + 1)), "another mark");
    });
}

fn loopback_is_left_alone() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        let app = TcpListener::bind("127.0.0.1:8080").unwrap();
        let mut stream = TcpStream::connect("127.0.0.1:8080").unwrap();
        stream.write_all(b"x").unwrap();
        let mut byte = [0];
        app.accept().unwrap().0.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");
    });
}

fn installing_twice_changes_nothing() {
    in_pod(|| {
        assert_eq!(redirect::install(&rules()).unwrap(), Change::Installed);
        assert_eq!(redirect::install(&rules()).unwrap(), Change::None);
        redirect::verify(&rules()).unwrap();
    });
}

fn other_rules_replace_the_earlier_ones() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        let others = Rules { outbound_port: 18001, exempt_user: Some(7717), skip_inbound: Vec::new(), ..rules() };
        assert_eq!(redirect::install(&others).unwrap(), Change::Installed);
        redirect::verify(&others).unwrap();
        assert!(redirect::verify(&rules()).is_err());
    });
}

fn a_rule_that_was_tampered_with_is_named() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        let expected = Rules { exempt_mark: Some(MARK + 1), ..rules() };
        let RedirectError::Differ(difference) = redirect::verify(&expected).unwrap_err() else { panic!("another error") };
        assert_eq!(difference, "rule 1 of the chain outbound should be `meta mark 0x00007718 return`");
    });
}

fn removing_leaves_nothing() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        redirect::remove().unwrap();
        redirect::remove().unwrap();
        let _proxy = listen(OUTBOUND, VIRTUAL[0]);
        assert!(!connects(SocketAddr::from((VIRTUAL[0], 80)), None));
    });
}

fn a_command_spawned_in_a_namespace_runs_there() {
    let pod = Namespace::new(Kind::Network).unwrap();
    let name = |output: Vec<u8>| String::from_utf8(output).unwrap();
    let here = Command::new("readlink").arg("/proc/self/ns/net").output().unwrap();
    let there = inside(&pod, || Command::new("readlink").arg("/proc/self/ns/net").output().unwrap());
    assert_ne!(name(here.stdout), name(there.stdout));
}

fn rules() -> Rules {
    Rules {
        outbound_port: OUTBOUND,
        inbound_port: INBOUND,
        exempt_user: None,
        exempt_mark: Some(MARK),
        skip_inbound: vec!["9".parse().unwrap()],
        skip_outbound: Vec::new(),
        skip_subnets: Vec::new(),
    }
}

/// Does `test` in a pod that has a link to nowhere, so that every address has a route.
fn in_pod(test: impl FnOnce() + Send) {
    let (pod, nowhere) = (Namespace::new(Kind::Network).unwrap(), Namespace::new(Kind::Network).unwrap());
    inside(&pod, || {
        link::set_up("lo").unwrap();
        link::create_veth("eth0", "eth0", &nowhere).unwrap();
        join(1);
        link::add_default_route(host(2)).unwrap();
        link::add_default_route(IpAddr::V6(host6(2))).unwrap();
        test();
    });
}

fn join(number: u8) {
    link::add_address("eth0", host(number), 24).unwrap();
    link::add_address("eth0", IpAddr::V6(host6(number)), 64).unwrap();
    link::set_up("eth0").unwrap();
}

fn host(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 77, 0, number))
}

fn host6(number: u8) -> Ipv6Addr {
    Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, u16::from(number))
}

fn inside<T: Send>(namespace: &Namespace, work: impl FnOnce() -> T + Send) -> T {
    namespace::within(&[namespace], work).unwrap()
}

/// Listens on every address of the family of `like`.
fn listen(port: u16, like: IpAddr) -> TcpListener {
    let any: IpAddr = if like.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    TcpListener::bind((any, port)).unwrap()
}

fn original(stream: &TcpStream) -> SocketAddr {
    let socket = SockRef::from(stream);
    let original = if stream.local_addr().unwrap().is_ipv4() { socket.original_dst_v4() } else { socket.original_dst_v6() };
    original.unwrap().as_socket().unwrap()
}

fn connects(to: SocketAddr, mark: Option<u32>) -> bool {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).unwrap();
    if let Some(mark) = mark {
        socket.set_mark(mark).unwrap();
    }
    socket.connect_timeout(&to.into(), Duration::from_millis(200)).is_ok()
}
