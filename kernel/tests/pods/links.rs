//! Links, addresses and routes.

use std::net::{SocketAddr, TcpStream};

use kernel::link;

use crate::{
    Test,
    world::{host, host6, in_pod, inside, listen, new_network, settle, two_pods},
};

pub(crate) const TESTS: &[Test] = &[
    ("pods_on_a_bridge_reach_one_another_and_the_bridge", pods_on_a_bridge),
    ("a_link_that_is_removed_is_gone_at_both_ends", a_link_that_is_removed),
    ("what_cannot_be_is_refused_in_the_kernels_own_words", what_cannot_be_is_refused),
    ("an_address_is_usable_at_once", an_address_is_usable_at_once),
];

fn pods_on_a_bridge() {
    let (middle, one, two) = (new_network(), new_network(), new_network());
    inside(&middle, || {
        link::create_bridge("weft0").unwrap();
        link::add_address("weft0", host(1), 24).unwrap();
        link::add_address("weft0", host6(1), 64).unwrap();
        link::set_up("weft0").unwrap();
        for (pod, name) in [(&one, "w1"), (&two, "w2")] {
            link::create_veth(name, "eth0", pod).unwrap();
            link::set_master(name, "weft0").unwrap();
            link::set_up(name).unwrap();
        }
    });
    for (pod, number) in [(&one, 2), (&two, 3)] {
        inside(pod, || {
            settle(number);
            link::add_default_route(host(1)).unwrap();
            link::add_default_route(host6(1)).unwrap();
        });
    }
    for (place, address) in [(&two, host(3)), (&two, host6(3)), (&middle, host(1)), (&middle, host6(1))] {
        let listener = inside(place, || listen(80, address));
        let stream = inside(&one, || TcpStream::connect((address, 80)).unwrap());
        assert_eq!(listener.accept().unwrap().1, stream.local_addr().unwrap());
    }
}

fn a_link_that_is_removed() {
    let (caller, called) = two_pods();
    assert!(inside(&called, || link::exists("eth0")));
    inside(&caller, || link::delete("eth0").unwrap());
    assert!(!inside(&caller, || link::exists("eth0")));
    assert!(!inside(&called, || link::exists("eth0")));
}

fn what_cannot_be_is_refused() {
    in_pod(|| {
        // The rest of the sentence is the kernel's.
        let error = link::add_default_route("192.0.2.1".parse().unwrap()).unwrap_err().to_string();
        assert!(error.starts_with("cannot route through 192.0.2.1: ") && error.contains("invalid gateway"), "{error}");
        let error = link::set_master("eth0", "lo").unwrap_err().to_string();
        assert!(error.starts_with("cannot connect eth0 to lo: "), "{error}");
        let error = link::set_up("eth7").unwrap_err().to_string();
        assert!(error.starts_with("there is no link eth7"), "{error}");
        let error = link::create_bridge("a-name-far-too-long-for-links").unwrap_err().to_string();
        assert!(error.starts_with("cannot make the bridge a-name-far-too-long-for-links: "), "{error}");
    });
}

fn an_address_is_usable_at_once() {
    in_pod(|| {
        for address in [host(9), host6(9)] {
            link::add_address("eth0", address, 32).unwrap();
            drop(std::net::TcpListener::bind(SocketAddr::from((address, 80))).unwrap());
            assert_eq!(link::add_address("eth0", address, 32).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
        }
    });
}
