//! Ways to write a forbidden path so that a policy might take it for another: none may pass. Each stands for `/admin` or something
//! below it with some server, or for nothing that two servers agree on.

use super::tests::{admin, may, public};

/// Paths by the trick that they try.
const TRICKS: &[(&str, &[&str])] = &[
    (
        "dot segments",
        &[
            "/public/../admin",
            "/public/./../admin",
            "/public/.././admin",
            "/public/a/../../admin",
            "/public/x/y/../../../admin",
            "/public/../public/../admin",
            "/public/../admin/users",
            "/public/../admin/.",
            "/public/../admin/x/..",
            "/public/../admin..",
            "/x/../admin",
            "/../admin",
            "/../../../admin",
            "/./admin",
            "/admin/.",
            "/admin/..",
            "/admin/../admin",
        ],
    ),
    (
        "encoded dots",
        &[
            "/public/%2e%2e/admin",
            "/public/%2E%2E/admin",
            "/public/.%2e/admin",
            "/public/%2e./admin",
            "/public/%2e/%2e%2e/admin",
            "/public/%2e%2e//admin",
            "/public//%2e%2e/admin",
            "/public/a/%2e%2e/%2e%2e/admin",
            "/%2e%2e/admin",
            "/%2e/admin",
        ],
    ),
    (
        "encoded slashes",
        &[
            "/public/..%2fadmin",
            "/public/..%2Fadmin",
            "/public%2f..%2fadmin",
            "/public/%2e%2e%2fadmin",
            "/public/%2e%2e%2Fadmin",
            "/public/..%2f/admin",
            "/public/x%2f..%2f..%2fadmin",
            "/public/..%2f..%2fadmin",
            "/%2fadmin",
            "/%2f%2fadmin",
            "/.%2fadmin",
            "/%2e%2fadmin",
        ],
    ),
    (
        "encodings of encodings",
        &[
            "/public/%252e%252e/admin",
            "/public/%252E%252E/admin",
            "/public/.%252e/admin",
            "/public/%252e./admin",
            "/public/%252e%252e%252fadmin",
            "/public/..%252fadmin",
            "/public/%25%32%65%25%32%65/admin",
            "/%252fadmin",
            "/%2561dmin",
            "/%25%36%31dmin",
            "/public/%25252e%25252e/admin",
            "/public/%25252525252e/admin",
            "/%252561dmin",
        ],
    ),
    (
        "backslashes",
        &[
            r"/public\..\admin",
            r"/public/..\admin",
            r"/public\../admin",
            r"/public/..\/admin",
            r"/public/../\admin",
            r"/\admin",
            r"/.\admin",
            "/public/..%5cadmin",
            "/public/..%5Cadmin",
            "/public/%2e%2e%5cadmin",
            "/public%5c..%5cadmin",
            "/public/..%255cadmin",
            "/%5cadmin",
        ],
    ),
    (
        "parameters of segments",
        &[
            "/public/..;/admin",
            "/public/..;x=1/admin",
            "/public/..;;/admin",
            "/public/.;/..;/admin",
            "/public/%2e%2e;/admin",
            "/public/..%3b/admin",
            "/public/..%3Bx=1/admin",
            "/public/..%253b/admin",
            "/public/..;%2fadmin",
            r"/public/..;\admin",
            "/public;x/../admin",
            "/public/a;/../../admin",
            "/.;/admin",
            "/;/admin",
            "/;x=y/admin",
            "/admin;x=1",
            "/admin;/users",
            "/admin/;/",
        ],
    ),
    (
        "empty segments",
        &[
            "//admin",
            "///admin",
            "////admin/users",
            "//admin//",
            "/public//../admin",
            "/public/..//admin",
            "/public//..//admin",
            "//public/../admin",
            "//./admin",
            "//../admin",
            "/.//admin",
        ],
    ),
    (
        "case, and letters that are encoded",
        &[
            "/ADMIN",
            "/Admin/users",
            "/aDmIn",
            "/public/../Admin",
            "/public/..%2fADMIN",
            "/%61dmin",
            "/%41DMIN",
            "/admi%6e",
            "/admi%6E",
            "/admi%4e",
            "/%61%64%6d%69%6e",
            "/%41%44%4D%49%4E",
        ],
    ),
    (
        "NUL and control characters",
        &[
            "/public/%00",
            "/public/a%00",
            "/public/..%00/admin",
            "/public/%2500",
            "/public/a%0a",
            "/public/a%250a",
            "/public/a%0d%0aX:%201",
            "/public/a%09",
            "/public/%1f",
            "/public/%7f",
            "/public/%08../admin",
            "/admin%00",
            "/admin%00.html",
        ],
    ),
    (
        "overlong UTF-8",
        &[
            "/public/%c0%ae%c0%ae/admin",
            "/public/%C0%AE%C0%AE/admin",
            "/public/..%c0%afadmin",
            "/%c1%a1dmin",
            "/public/%e0%80%ae%e0%80%ae/admin",
            "/public/..%e0%80%afadmin",
            "/public/%f0%80%80%ae%f0%80%80%ae/admin",
            "/public/%25c0%25ae%25c0%25ae/admin",
            "/public/%25e0%2580%25ae/admin",
        ],
    ),
    (
        "encodings that are none",
        &[
            "/public/%",
            "/public/%2",
            "/public/%zz",
            "/public/%2g../admin",
            "/public/%u002e%u002e/admin",
            "/public/%25%",
            "/%u0061dmin",
        ],
    ),
    (
        "targets in absolute form",
        &[
            "http://cart.shop/admin",
            "http://cart.shop//admin",
            "http://cart.shop/public/../admin",
            "http://cart.shop/public/..%2fadmin",
            "http://cart.shop/%61dmin",
        ],
    ),
    (
        "queries and fragments",
        &[
            "/admin?x=/public/",
            "/admin?/../public/",
            "/public/../admin?a=b",
            "/admin%3f/public/",
            "/admin%23/public/",
            "/admin#/public/",
        ],
    ),
    (
        "what follows",
        &["/admin/", "/admin//", "/admin.", "/admin%20", "/admin%2f", "/admin%2e", "/admin;", "/admin/%2e%2e/admin"],
    ),
];

#[test]
fn no_trick_leads_past_a_policy() {
    let (public, admin) = (public(), admin());
    let mut passed = Vec::new();
    for (trick, path) in TRICKS.iter().flat_map(|(trick, paths)| paths.iter().map(move |path| (trick, path))) {
        for (policy, by) in [(&public, "ALLOW /public/*"), (&admin, "DENY /admin*")] {
            if may(policy, None, path) {
                passed.push(format!("{trick}: {path} passes {by}"));
            }
        }
    }
    assert!(passed.is_empty(), "{passed:#?}");
    assert!(TRICKS.iter().map(|(_, paths)| paths.len()).sum::<usize>() >= 100);
}
