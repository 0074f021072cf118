//! The page at `/`: static files that use only the API.
//!
//! The server sends the files unchanged; they need no build step. The content security policy forbids other origins.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use include_dir::{Dir, include_dir};

use crate::http::App;
use crate::http::server::problem::Problem;

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/http/page/files");

/// The origins that the page may load from: its own files, the API, and the frame that shows the HTML of a message.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(async || file("index.html")))
        .route(
            "/page/{*file}",
            get(async |Path(path): Path<String>| file(&path)),
        )
}

/// One of the files, by its path.
fn file(path: &str) -> Response {
    let Some(file) = FILES.get_file(path) else {
        return Problem::not_found("path", "a file of the page", path).into_response();
    };
    let fields: [(HeaderName, HeaderValue); 3] = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(media_type(path)),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(POLICY),
        ),
        (
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ),
    ];
    (fields, file.contents()).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, kind)| kind) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_type_that_browsers_take() {
        for file in FILES.files() {
            let path = file.path().to_string_lossy();
            assert_ne!(media_type(&path), "application/octet-stream", "{path}");
        }
    }

    #[test]
    fn the_files_name_no_other_origin() {
        for file in FILES.files() {
            let text = file.contents_utf8().expect("text");
            let foreign = text
                .split(['"', '\'', '`', '(', ' '])
                .filter(|word| word.starts_with("http://") || word.starts_with("https://"))
                .filter(|word| !word.starts_with("http://www.w3.org/"))
                .collect::<Vec<_>>();
            assert!(foreign.is_empty(), "{}: {foreign:?}", file.path().display());
        }
    }
}
