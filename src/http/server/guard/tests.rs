use super::*;

#[track_caller]
fn check(host: &str, known: Option<bool>) {
    let options = Options {
        hosts: vec!["martinet".to_owned()],
        ..Options::default()
    };
    let found = authority(host.as_bytes()).map(|a| known_host(&options, a.host()));
    assert_eq!(found, known, "{host}");
}

#[test]
fn hosts() {
    check("127.0.0.1:8025", Some(true));
    check("[::1]:8025", Some(true));
    check("[::1]", Some(true));
    check("localhost:8025", Some(true));
    check("localhost:", Some(true));
    check("app.localhost", Some(true));
    check("Martinet:8025", Some(true));
    check("evil.example:8025", Some(false));
    // A reg-name may contain a comma (RFC 3986 §3.2.2): this is a host, but not this server's.
    check("localhost,evil.example", Some(false));
    check("localhost.evil.example", Some(false));
    check("127.0.0.1.evil.example", Some(false));
}

/// RFC 9112 §3.2: a Host field with an invalid value.
#[test]
fn rfc9112_no_hosts() {
    let wrong = [
        "",
        " ",
        ":80",
        "::1",
        "a:b",
        "a:99999",
        "localhost/x",
        "user@localhost",
        "a b",
        "[::1",
        "[::1]x",
        "[a]",
        "lo\u{e9}calhost",
        "localhost\u{ff0e}evil.example",
        "localhost:80:80",
        "http://localhost",
    ];
    for host in wrong {
        check(host, None);
    }
}

#[test]
fn values_of_the_options() {
    for (input, expected) in [
        ("http://localhost:5173", Some("http://localhost:5173")),
        ("HTTP://LocalHost:80", Some("http://localhost")),
        ("https://a.example:443", Some("https://a.example")),
        ("http://[::1]:3000", Some("http://[::1]:3000")),
        ("chrome-extension://abc", Some("chrome-extension://abc")),
        ("http://localhost:5173/", None),
        ("localhost:5173", None),
        ("http://*", None),
        ("*", None),
        ("null", None),
        ("", None),
        ("http://", None),
        ("://a", None),
    ] {
        assert_eq!(origin(input).ok().as_deref(), expected, "{input}");
    }
    for (input, expected) in [
        ("Martinet", Some("martinet")),
        ("a_b.internal", Some("a_b.internal")),
        ("[::1]", Some("[::1]")),
        ("martinet:8025", None),
        ("http://martinet", None),
        ("*.internal", None),
        ("", None),
        ("a b", None),
    ] {
        assert_eq!(host_name(input).ok().as_deref(), expected, "{input}");
    }
    for token in ["", " ", "two words", "\u{e9}", "a\n"] {
        assert!(Credentials::bearer(token).is_err(), "{token:?}");
    }
    for pair in ["", "user", "user:", ":pass", "user:a\nb"] {
        assert!(Credentials::basic(pair).is_err(), "{pair:?}");
    }
    assert!(!Credentials::Bearer(String::new()).are_in("Bearer "));
    assert!(!Credentials::Basic(String::new()).are_in("Basic "));
}

#[test]
fn credentials() {
    let basic = Credentials::Basic("user:pass".to_owned());
    assert!(basic.are_in("Basic dXNlcjpwYXNz") && basic.are_in("basic dXNlcjpwYXNz"));
    assert!(
        !basic.are_in("Basic dXNlcjpwYXNy")
            && !basic.are_in("Bearer user:pass")
            && !basic.are_in("")
    );
    let bearer = Credentials::Bearer("token".to_owned());
    assert!(
        bearer.are_in("Bearer token")
            && !bearer.are_in("Bearer toke")
            && !bearer.are_in("Basic token")
    );
    assert_eq!(format!("{basic:?}"), "Basic(…)");
}
