//! Which connections arrive at the proxy.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::Duration,
};

use kernel::{
    link,
    redirect::{self, Layout, Rules},
};

use crate::{
    Test,
    world::{
        INBOUND, MARK, OUTBOUND, SKIPPED, VIRTUAL, connects, host, host6, in_pod, inside, listen, original, rules, two_pods,
    },
};

pub(crate) const TESTS: &[Test] = &[
    ("calls_of_the_app_arrive_at_the_proxy_with_their_destination", calls_of_the_app_arrive),
    ("calls_to_the_app_arrive_at_the_proxy_with_their_destination", calls_to_the_app_arrive),
    ("tables_of_one_family_each_redirect_as_a_shared_one_does", separate_tables_redirect),
    ("the_proxy_is_told_by_its_mark", the_proxy_is_told_by_its_mark),
    ("the_proxy_is_told_by_its_user", the_proxy_is_told_by_its_user),
    ("skipped_ports_and_subnets_are_left_alone", skipped_ports_and_subnets_are_left_alone),
    ("loopback_and_ones_own_addresses_are_left_alone", loopback_is_left_alone),
    ("a_connection_straight_to_the_proxy_keeps_its_destination", straight_to_the_proxy),
    ("nobody_outside_reaches_the_port_that_serves_the_app", nobody_outside_reaches_the_outbound_port),
    ("udp_is_left_alone", udp_is_left_alone),
];

fn calls_of_the_app_arrive() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        assert_calls_arrive();
    });
}

fn separate_tables_redirect() {
    in_pod(|| {
        redirect::install_as(&rules(), Layout::Separate).unwrap();
        assert_calls_arrive();
    });
}

fn assert_calls_arrive() {
    for address in VIRTUAL {
        let proxy = listen(OUTBOUND, address);
        let _app = TcpStream::connect((address, 80)).unwrap();
        assert_eq!(original(&proxy.accept().unwrap().0), SocketAddr::from((address, 80)));
    }
}

fn calls_to_the_app_arrive() {
    let (caller, called) = two_pods();
    inside(&called, || redirect::install(&rules()).unwrap());
    for address in [host(2), host6(2)] {
        let proxy = inside(&called, || listen(INBOUND, address));
        let _stream = inside(&caller, || TcpStream::connect((address, 8080)).unwrap());
        assert_eq!(original(&proxy.accept().unwrap().0), SocketAddr::from((address, 8080)));
        let skipped = inside(&called, || listen(SKIPPED, address));
        let _stream = inside(&caller, || TcpStream::connect((address, SKIPPED)).unwrap());
        assert_eq!(skipped.accept().unwrap().0.local_addr().unwrap(), SocketAddr::from((address, SKIPPED)));
    }
}

/// Whether a call to `to` arrives at the proxy, who listens throughout.
fn captured(to: &str, mark: Option<u32>) -> bool {
    connects(to.parse().unwrap(), mark)
}

fn the_proxy_is_told_by_its_mark() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        let _proxies = VIRTUAL.map(|address| listen(OUTBOUND, address));
        for to in ["10.96.0.5:80", "[fd96::5]:80"] {
            assert!(captured(to, None));
            assert!(captured(to, Some(MARK + 1)), "another mark");
            assert!(!captured(to, Some(MARK)));
        }
    });
}

fn the_proxy_is_told_by_its_user() {
    in_pod(|| {
        let _proxy = listen(OUTBOUND, VIRTUAL[0]);
        // Whoever runs this is root here.
        let exempt = |user| Rules { exempt_user: Some(user), exempt_mark: None, ..rules() };
        redirect::install(&exempt(7717)).unwrap();
        assert!(captured("10.96.0.5:80", None));
        redirect::install(&exempt(0)).unwrap();
        assert!(!captured("10.96.0.5:80", None));
    });
}

fn skipped_ports_and_subnets_are_left_alone() {
    in_pod(|| {
        let rules = Rules {
            skip_outbound: vec!["5432".parse().unwrap(), "6000-6010".parse().unwrap()],
            skip_subnets: vec!["10.97.0.0/16".parse().unwrap(), "fd97::/32".parse().unwrap(), "10.96.0.6".parse().unwrap()],
            ..rules()
        };
        for layout in [Layout::Shared, Layout::Separate] {
            redirect::install_as(&rules, layout).unwrap();
            let _proxies = VIRTUAL.map(|address| listen(OUTBOUND, address));
            for to in ["10.96.0.5:80", "10.96.0.5:6011", "10.98.0.1:80", "10.96.0.7:80", "[fd96::5]:80", "[fd97:1::5]:80"] {
                assert!(captured(to, None), "{layout:?}: {to}");
            }
            for to in ["10.96.0.5:5432", "10.96.0.5:6005", "10.97.255.255:80", "10.96.0.6:80", "[fd96::5]:6010", "[fd97::5]:80"] {
                assert!(!captured(to, None), "{layout:?}: {to}");
            }
        }
    });
}

fn loopback_is_left_alone() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        for address in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), host(1), host6(1)] {
            let _proxies = [listen(OUTBOUND, address), listen(INBOUND, address)];
            let app = TcpListener::bind((address, 8080)).unwrap();
            let stream = TcpStream::connect((address, 8080)).unwrap();
            assert_eq!(app.accept().unwrap().1, stream.local_addr().unwrap());
        }
    });
}

/// A proxy must see that carrying such a connection would mean to dial itself: its destination is where it arrived.
fn straight_to_the_proxy() {
    let (caller, called) = two_pods();
    inside(&called, || {
        // An address that is not the link's first, to which a redirection would change it.
        link::add_address("eth0", host(3), 24).unwrap();
        redirect::install(&rules()).unwrap();
        for address in [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), host(2), host6(2)] {
            let proxy = listen(OUTBOUND, address);
            let _app = TcpStream::connect((address, OUTBOUND)).unwrap();
            assert_arrived_at(SocketAddr::from((address, OUTBOUND)), &proxy);
        }
    });
    for address in [host(2), host(3), host6(2)] {
        let proxy = inside(&called, || listen(INBOUND, address));
        let _peer = inside(&caller, || TcpStream::connect((address, INBOUND)).unwrap());
        assert_arrived_at(SocketAddr::from((address, INBOUND)), &proxy);
    }
}

fn assert_arrived_at(address: SocketAddr, proxy: &TcpListener) {
    let (accepted, _) = proxy.accept().unwrap();
    assert_eq!((original(&accepted), accepted.local_addr().unwrap()), (address, address));
}

fn nobody_outside_reaches_the_outbound_port() {
    let (caller, called) = two_pods();
    inside(&called, || redirect::install(&rules()).unwrap());
    let outbound = inside(&called, || listen(OUTBOUND, host(2)));
    let inbound = inside(&called, || listen(INBOUND, host(2)));
    let _peer = inside(&caller, || TcpStream::connect((host(2), OUTBOUND)).unwrap());
    assert_eq!(original(&inbound.accept().unwrap().0), SocketAddr::from((host(2), OUTBOUND)));
    outbound.set_nonblocking(true).unwrap();
    assert_eq!(outbound.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

fn udp_is_left_alone() {
    in_pod(|| {
        redirect::install(&rules()).unwrap();
        let nobody = UdpSocket::bind(("0.0.0.0", OUTBOUND)).unwrap();
        nobody.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        UdpSocket::bind("0.0.0.0:0").unwrap().send_to(b"query", (VIRTUAL[0], 53)).unwrap();
        assert_eq!(nobody.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}
