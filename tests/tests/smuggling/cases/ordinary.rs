//! Ordinary traffic of every shape. It must pass, or a proxy could do well here by refusing everything.

use crate::case::{Case, HOST, get, got, post, posted, read, read_at, request};

pub fn cases() -> Vec<Case> {
    [methods(), targets(), fields(), bodies(), connections()].concat()
}

fn methods() -> Vec<Case> {
    let mut cases: Vec<Case> = ["GET", "HEAD", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "REPORT", "M-SEARCH"]
        .iter()
        .map(|method| Case::pass(&format!("method {method}"), request(method, "", ""), &[read(method, "/x", "")]))
        .collect();
    cases.extend(["POST", "PUT", "PATCH", "DELETE"].iter().map(|method| {
        let bytes = request(method, "Content-Length: 3\r\n", "abc");
        Case::pass(&format!("{method} with a body"), bytes, &[read(method, "/x", "abc")])
    }));
    // The token of RFC 9110 is wider than nginx's.
    let token = "!#$%&'*+-.^_`|~09az";
    cases.push(Case::pass("a method of odd letters", request(token, "", ""), &[read(token, "/x", "")]).except(&["nginx"]));
    cases.push(Case::pass("a method in lower case", request("get", "", ""), &[read("get", "/x", "")]).except(&["nginx"]));
    cases
}

fn targets() -> Vec<Case> {
    let origin = |name: &str, target: &str| {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {HOST}\r\n\r\n");
        Case::pass(name, bytes, &[read("GET", target, "")])
    };
    let absolute = |name: &str, host: &str, target: &str, rest: &str| {
        let bytes = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        Case::pass(name, bytes, &[read_at(host, "GET", rest, "")])
    };
    vec![
        origin("the root", "/"),
        origin("a query", "/search?q=a+b&r=%20&s=/?:@"),
        origin("an empty query", "/x?"),
        origin("sub-delimiters and the unreserved", "/a-b._~!$&'()*+,;=:@c"),
        origin("percent-encoded bytes stay as they are", "/%41%2f%2e%2e%2fx%20%ff"),
        origin("two slashes in front", "//x//y"),
        origin("dots are the server's business", "/a/./b/../c"),
        origin("a long path", &format!("/{}", "p".repeat(4000))),
        absolute("the absolute form", HOST, "http://shop.test/y?z=1", "/y?z=1"),
        absolute("the absolute form with a port", "shop.test:80", "http://shop.test:80/y", "/y"),
        absolute("the absolute form without a path", HOST, "http://shop.test", "/"),
        absolute("a scheme in capitals", HOST, "HTTP://shop.test/y", "/y"),
    ]
}

fn fields() -> Vec<Case> {
    let with = |name: &str, fields: &[u8]| Case::pass(name, get(fields), &[got()]);
    let many: String = (0..80).map(|number| format!("X-Field-{number}: {number}\r\n")).collect();
    vec![
        with("a browser's fields", b"User-Agent: Mozilla/5.0 (X11)\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nCookie: a=1; b=2\r\nReferer: http://shop.test/\r\n"),
        with("an empty value", b"X-Empty:\r\n"),
        with("a value of white space", b"X-Space: \t \r\n"),
        with("no space after the colon", b"X-Tight:value\r\n"),
        with("white space around a value", b"X-Wide: \t value \t\r\n"),
        with("a tab inside a value", b"X-Tab: a\tb\r\n"),
        with("a value of high bytes", b"X-High: \xe4\xf6\xff\xc3\xa9\r\n"),
        with("a colon in a value", b"X-Colon: a:b: c\r\n"),
        with("quotes and braces in a value", b"X-Quoted: \"a\\\"b\", {c}\r\n"),
        with("a name of odd letters", b"!#$%&'*+-.^_`|~: odd\r\n"),
        with("the same name twice", b"X-Twice: 1\r\nX-Twice: 2\r\n"),
        with("two cookies", b"Cookie: a=1\r\nCookie: b=2\r\n"),
        with("eighty fields", many.as_bytes()),
        with("a long value", format!("X-Long: {}\r\n", "v".repeat(12_000)).as_bytes()),
        with("te: trailers", b"TE: trailers\r\nConnection: TE\r\n"),
        with("names that resemble framing", b"X-Content-Length: 5\r\nContent-Length-X: 7\r\nX-Transfer-Encoding: chunked\r\n"),
    ]
}

fn bodies() -> Vec<Case> {
    let large = "0123456789".repeat(10_000);
    let large_post = post(format!("Content-Length: {}\r\n", large.len()), &large);
    let chunked =
        |name: &str, body: &str, read: &str| Case::pass(name, post("Transfer-Encoding: chunked\r\n", body), &[posted(read)]);
    vec![
        Case::pass("a body", post("Content-Length: 5\r\n", "hello"), &[posted("hello")]),
        Case::pass("an empty body", post("Content-Length: 0\r\n", ""), &[posted("")]),
        Case::pass("no body at all", post("", ""), &[posted("")]),
        Case::pass("zeros before a length", post("Content-Length: 0005\r\n", "hello"), &[posted("hello")]),
        Case::pass("names in any case", post("cOnTeNt-LeNgTh: 5\r\n", "hello"), &[posted("hello")]),
        Case::pass("a large body", large_post, &[posted(&large)]),
        Case::pass(
            "a body that looks like a request",
            post("Content-Length: 18\r\n", "GET /y HTTP/1.1\r\n\r"),
            &[posted("GET /y HTTP/1.1\r\n\r")],
        ),
        Case::pass("a GET with a body", request("GET", "Content-Length: 3\r\n", "abc"), &[read("GET", "/x", "abc")]),
        chunked("one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello"),
        chunked("two chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world"),
        chunked("no chunk but the last", "0\r\n\r\n", ""),
        chunked("hexadecimal sizes in both cases", "a\r\n0123456789\r\nB\r\n0123456789a\r\n0\r\n\r\n", "01234567890123456789a"),
        chunked("zeros before a chunk size", "0005\r\nhello\r\n000\r\n\r\n", "hello"),
        chunked("a chunk extension", "5;name=value\r\nhello\r\n0\r\n\r\n", "hello"),
        chunked("a quoted chunk extension", "5;name=\"a b;c\"\r\nhello\r\n0;last\r\n\r\n", "hello"),
        chunked("a trailer", "5\r\nhello\r\n0\r\nX-Checksum: 1\r\n\r\n", "hello"),
        chunked("a body that looks like the end of one", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"),
    ]
}

fn connections() -> Vec<Case> {
    let twice = [get(""), get("")].concat();
    let mixed = [post("Content-Length: 2\r\n", "ab"), post("Transfer-Encoding: chunked\r\n", "2\r\ncd\r\n0\r\n\r\n")].concat();
    vec![
        Case::pass("three in one go", twice, &[got(), got()]),
        Case::pass("bodies of both kinds in one go", mixed, &[posted("ab"), posted("cd")]),
        Case::pass("an empty line in front", [b"\r\n".as_slice(), &get("")].concat(), &[got()]),
        Case::pass("keep-alive", get("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n"), &[got()]),
        Case::pass("a field of this hop", get("Connection: X-Hop\r\nX-Hop: 1\r\n"), &[got()]),
        Case::pass_and_close("close", get("Connection: close\r\n"), &[got()]),
        Case::pass_and_close("close among others", get("Connection: X-Hop, Close\r\n"), &[got()]),
        Case::pass_and_close("HTTP/1.0", format!("GET /x HTTP/1.0\r\nHost: {HOST}\r\n\r\n"), &[got()]),
        Case::pass("HTTP/1.0 kept alive", format!("GET /x HTTP/1.0\r\nHost: {HOST}\r\nConnection: keep-alive\r\n\r\n"), &[got()]),
        Case::pass("expecting 100-continue", post("Content-Length: 2\r\nExpect: 100-continue\r\n", "ab"), &[posted("ab")]),
    ]
}
