//! What the fuzz targets reach beside the public API, each with what has to hold of it. No part of the API.

use bytes::BytesMut;

use super::command::{self, Command};
use super::proxy::{self, Beginning};
use super::xclient;

/// A command line is a command or a mistake. What is kept of its paths could stand in a header field.
///
/// # Panics
/// Where that does not hold.
pub fn command(line: &[u8]) {
    let kept = match command::parse(line) {
        Ok(Command::Mail {
            reverse_path,
            parameters,
        }) => [vec![reverse_path], parameters.said].concat(),
        Ok(Command::Rcpt {
            forward_path,
            parameters,
        }) => [vec![forward_path], parameters.said].concat(),
        Ok(Command::Helo(_, argument)) => vec![argument],
        _ => Vec::new(),
    };
    let sound = |text: &String| !text.chars().any(|c| c.is_ascii_control() && c != '\t');
    assert!(kept.iter().all(sound), "control characters in {kept:?}");
}

/// The argument of XCLIENT is read, or refused. What it tells of names can be looked at.
///
/// # Panics
/// Where a value holds control characters.
pub fn xclient(argument: &[u8]) {
    let Ok(Command::Xclient(told)) = xclient::parse(argument) else {
        return;
    };
    let _ = told.names();
    for value in [&told.name, &told.reverse_name, &told.helo, &told.login]
        .into_iter()
        .flatten()
    {
        if let xclient::Value::Known(text) = value {
            assert!(
                !text.chars().any(char::is_control) && text.len() <= 255,
                "{text:?}"
            );
        }
    }
}

/// The beginning of a connection is the same however it is cut: a part of it is that, or not enough to tell.
///
/// # Panics
/// Where that does not hold.
pub fn proxy(octets: &[u8], cut: usize) {
    let mut whole = BytesMut::from(octets);
    let beginning = proxy::begin(&mut whole);
    let mut part = BytesMut::from(&octets[..cut.min(octets.len())]);
    match proxy::begin(&mut part) {
        Beginning::Incomplete => {
            part.extend_from_slice(&octets[cut.min(octets.len())..]);
            assert_eq!((proxy::begin(&mut part), part), (beginning, whole));
        }
        // The rest of an overlong or broken header may break it in another way.
        Beginning::Malformed(_) => assert!(
            matches!(beginning, Beginning::Malformed(_)),
            "{beginning:?}"
        ),
        first => assert_eq!(first, beginning),
    }
}
