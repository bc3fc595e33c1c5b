//! Whose calls a route is for: by the Service's address, by its ports, by the caller's namespace.

use tests::{ECHO_FILE, Mesh, echo, eventually, manifests};

use crate::case::{Case, case, client, try_all};

const MANIFESTS: &str = include_str!("callers.yaml");

const CONSUMER: &str = "consumer-0";
const BYSTANDER: &str = "bystander-0";

pub const CASES: [Case; 27] = [
    case("Mesh HTTPRoute", "calls of the Service", "http://echo/", "200 v1 set=producer"),
    case("Mesh", "by the whole of its name", "http://echo.shop.svc.cluster.local/", "200 v1 set=producer"),
    case("Mesh", "another Service before the same pods has a say of its own", "http://v1/", "200 v1 set="),
    case("Mesh", "a producer's route is for callers of other namespaces", "http://echo.shop/", "200 v1 set=producer")
        .from(BYSTANDER),
    case("MeshClusterIPMatching", "the address itself", "http://CLUSTER4/", "200 v1 set=producer"),
    case("MeshClusterIPMatching", "the other family's", "http://[CLUSTER6]/", "200 v1 set=producer"),
    case("MeshClusterIPMatching", "whatever the Host", "http://echo/ -H host:v2", "200 v1 host=v2 set=producer"),
    case("MeshClusterIPMatching", "another Service by this one's name", "http://v2/ -H host:echo", "404 set="),
    case("MeshClusterIPMatching", "and one without a route", "http://v1/ -H host:echo", "200 v1 host=echo set="),
    case("MeshClusterIPMatching", "a pod by its own address", "http://POD4:8080/", "200 v1 set="),
    case("MeshClusterIPMatching", "a pod by its other address", "http://[POD6]:8080/", "200 v1 set="),
    case("MeshClusterIPMatching", "a pod, with the Service's Host", "http://POD4:8080/ -H host:echo", "200 v1 host=echo set="),
    case("MeshClusterIPMatching", "a headless name is the pods' addresses", "http://pods:8080/", "200 v1 set="),
    case("MeshConsumerRoute", "callers of its namespace", "http://echo.shop/consumed", "200 v1 set=consumer").from(CONSUMER),
    case("MeshConsumerRoute", "by the address", "http://CLUSTER4/consumed", "200 v1 set=consumer").from(CONSUMER),
    case("MeshConsumerRoute", "in place of the producer's", "http://echo.shop/", "404 set= why=no_route").from(CONSUMER),
    case("MeshConsumerRoute", "not a pod's address", "http://POD4:8080/consumed", "200 v1 set=").from(CONSUMER),
    case("MeshConsumerRoute", "not callers of the producer's", "http://echo/consumed", "200 v1 set=producer"),
    case("MeshConsumerRoute", "not callers of a third", "http://echo.shop/consumed", "200 v1 set=producer").from(BYSTANDER),
    case("MeshConsumerRoute", "nor other Services", "http://v1.shop/", "200 v1 set=").from(CONSUMER),
    case("HTTPRouteParentRefPort HTTPRouteDestinationPortMatching", "the port", "http://one-port/", "200 v1 set=by-port"),
    case("HTTPRouteParentRefPort HTTPRouteDestinationPortMatching", "another", "http://one-port:8080/", "200 v1 set="),
    case("HTTPRouteParentRefPort", "without one the first", "http://all-ports/", "200 v1 set=by-port"),
    case("HTTPRouteParentRefPort", "and the second", "http://all-ports:8080/", "200 v1 set=by-port"),
    case("ReferenceGrant", "a backend that may be named", "http://v2/granted", "200 granted"),
    case("ReferenceGrant", "a backend that may not", "http://v2/not-granted", "500 why=no_backend"),
    case("ReferenceGrant", "where only the route is not granted", "http://other.yard/", "200 other"),
];

#[test]
fn routes_are_for_the_calls_that_they_should_be_for() {
    let apps = [
        echo("v1"),
        echo("v2"),
        echo("granted").of("yard"),
        echo("other").of("yard"),
        client("client", "shop"),
        client("consumer", "lane"),
        client("bystander", "yard"),
    ];
    let mesh = Mesh::up_with(&(manifests(&apps) + MANIFESTS), &[ECHO_FILE]);
    for pod in
        ["shop/v1-0", "shop/v2-0", "yard/granted-0", "yard/other-0", "shop/client-0", "lane/consumer-0", "yard/bystander-0"]
    {
        mesh.says(&format!("{pod} is ready"));
    }
    let address = |name: &str, family: &str| -> String {
        eventually(&format!("an address of {name}"), || {
            let told = mesh.inside("client-0", &["getent", family, name]).output().expect("nsenter").stdout;
            String::from_utf8(told).expect("text").split_whitespace().next().map(str::to_owned)
        })
    };
    let named = [
        ("CLUSTER4", address("echo", "ahostsv4")),
        ("CLUSTER6", address("echo", "ahostsv6")),
        ("POD4", address("pods", "ahostsv4")),
        ("POD6", address("pods", "ahostsv6")),
    ];
    try_all(&mesh, &CASES, &named);
}
