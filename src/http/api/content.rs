//! `mail/{id}/content`, `…/html`, `…/parts/{number}`: the decoded content of a message.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::App;
use crate::http::api::mail::find;
use crate::http::compat::mime::{self, Mail, Mailbox, Part};
use crate::http::server::extract::{Id, Place, TheWorld};
use crate::http::server::problem::Problem;
use crate::journal::Message;

/// The policy for parts of messages in a browser: nothing is allowed.
const SANDBOX: &str = "sandbox; default-src 'none'";

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    let routes = OpenApiRouter::new()
        .routes(routes!(content))
        .routes(routes!(part));
    #[cfg(feature = "page")]
    let routes = routes.routes(routes!(html::show));
    routes
}

/// The decoded content of a message.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Content {
    /// The subject, decoded.
    subject: String,
    /// The authors in From, each with display name and address.
    from: Vec<String>,
    to: Vec<String>,
    cc: Vec<String>,
    /// The Date field as RFC 3339; absent without a valid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    /// The text, or the text of the HTML.
    text: String,
    /// Whether the message has an HTML body.
    html: bool,
    /// The header fields in order, unfolded, including those of the receiver.
    fields: Vec<Field>,
    /// The attached and inline parts.
    parts: Vec<PartView>,
}

/// One field of a header section.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct Field {
    name: String,
    value: String,
}

/// An attached or inline part.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct PartView {
    /// The number of the part within the message.
    id: usize,
    /// The file name without directories; empty without one.
    file_name: String,
    /// The content type, for example `image/png`.
    content_type: String,
    /// Whether the part is inline.
    inline: bool,
    /// The decoded size in octets.
    octets: usize,
    sha256: String,
}

impl From<&Mail> for Content {
    fn from(mail: &Mail) -> Self {
        let field = |(name, value): &(String, String)| Field {
            name: name.clone(),
            value: value.clone(),
        };
        Self {
            subject: mail.subject.clone(),
            from: mailboxes(&mail.from),
            to: mailboxes(&mail.to),
            cc: mailboxes(&mail.cc),
            date: mail.date.clone(),
            text: mail.text.clone(),
            html: !mail.html.is_empty(),
            fields: mail.fields.iter().map(field).collect(),
            parts: mail.parts.iter().map(PartView::from).collect(),
        }
    }
}

impl From<&Part> for PartView {
    fn from(part: &Part) -> Self {
        Self {
            id: part.id,
            file_name: part.file_name.clone(),
            content_type: part.content_type.clone(),
            inline: part.inline,
            octets: part.size,
            sha256: part.sha256.clone(),
        }
    }
}

/// Names and addresses as mail readers show them.
fn mailboxes(all: &[Mailbox]) -> Vec<String> {
    let shown = |(name, address): &Mailbox| match name.is_empty() {
        true => address.clone(),
        false => format!("{name} <{address}>"),
    };
    all.iter().map(shown).collect()
}

/// Show the decoded content of a message: subject, text, header fields and the list of attachments
#[utoipa::path(get, path = "/mail/{id}/content", tag = "journal", operation_id = "mail_content", params(("id" = u64, Path, description = "Its number")), responses(
    (status = 200, description = "The content", body = Content),
    (status = 404, description = "No message of this number is kept", body = Problem, content_type = "application/problem+json"),
))]
async fn content(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Id(id): Id,
) -> Result<Json<Content>, Problem> {
    let message = find(&world, id)?;
    app.mails
        .one(message, |_, mail| Json(Content::from(mail)))
        .await
}

/// Return one part of a message as a decoded file
#[utoipa::path(get, path = "/mail/{id}/parts/{number}", tag = "journal", operation_id = "mail_part", params(
    ("id" = u64, Path, description = "The number of the message"),
    ("number" = u64, Path, description = "The number of the part, as `content` lists it"),
), responses(
    (status = 200, description = "The part", body = Vec<u8>, content_type = "application/octet-stream"),
    (status = 404, description = "No message of this number is kept, or it has no such part", body = Problem, content_type = "application/problem+json"),
))]
async fn part(
    State(app): State<Arc<App>>,
    TheWorld(world): TheWorld,
    Id(id): Id,
    Place(number): Place,
) -> Result<Response, Problem> {
    let message = find(&world, id)?;
    let found = move |message: &Message, mail: &Mail| mime::part(&message.raw(), mail, number);
    let found = app.mails.one(message, found).await?;
    let part = found
        .ok_or_else(|| Problem::not_found("number", "the number of a part", &number.to_string()))?;
    let name = part.file_name.replace(
        |c: char| !c.is_ascii() || c.is_ascii_control() || c == '"',
        "_",
    );
    let disposition = format!("attachment; filename=\"{name}\"");
    let fields: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, &disposition),
        (header::CONTENT_SECURITY_POLICY, SANDBOX),
    ];
    let mut response = part.octets.into_response();
    for (name, value) in fields {
        let value = HeaderValue::from_str(value).unwrap_or(HeaderValue::from_static("attachment"));
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

#[cfg(feature = "page")]
mod html {
    //! The HTML of a message, prepared for a frame. The Content-Security-Policy protects the reader: it forbids scripts
    //! and other origins. Cleaning the HTML only keeps browsers from logging a violation of that policy for each
    //! message.

    use std::borrow::Cow;
    use std::collections::HashSet;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// Allows only inline styles, embedded images, and links that open in a new window.
    const POLICY: &str = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; \
        style-src 'unsafe-inline'; frame-ancestors 'self'";
    /// CSS properties that load nothing.
    const PROPERTIES: &[&str] = &[
        "background-color",
        "border",
        "border-bottom",
        "border-collapse",
        "border-color",
        "border-left",
        "border-radius",
        "border-right",
        "border-spacing",
        "border-style",
        "border-top",
        "border-width",
        "color",
        "display",
        "font-family",
        "font-size",
        "font-style",
        "font-weight",
        "height",
        "letter-spacing",
        "line-height",
        "margin",
        "margin-bottom",
        "margin-left",
        "margin-right",
        "margin-top",
        "max-width",
        "min-width",
        "padding",
        "padding-bottom",
        "padding-left",
        "padding-right",
        "padding-top",
        "text-align",
        "text-decoration",
        "text-transform",
        "vertical-align",
        "white-space",
        "width",
    ];
    /// Presentational attributes that HTML mail still uses.
    const ATTRIBUTES: &[&str] = &[
        "align",
        "bgcolor",
        "border",
        "cellpadding",
        "cellspacing",
        "color",
        "dir",
        "face",
        "height",
        "size",
        "style",
        "valign",
        "width",
    ];

    /// Return the HTML of a message for a frame: without scripts, external images and forms; inline images are embedded
    #[utoipa::path(get, path = "/mail/{id}/html", tag = "journal", operation_id = "mail_html", params(("id" = u64, Path, description = "Its number")), responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "No message of this number is kept, or it has no HTML", body = Problem, content_type = "application/problem+json"),
    ))]
    pub(super) async fn show(
        State(app): State<Arc<App>>,
        TheWorld(world): TheWorld,
        Id(id): Id,
    ) -> Result<Response, Problem> {
        let message = find(&world, id)?;
        let cleaned = app.mails.one(message, move |message, mail| {
            (!mail.html.is_empty()).then(|| page(&mail.html, &images(mail, &message.raw())))
        });
        let html = cleaned.await?.ok_or_else(|| {
            Problem::not_found("id", "a message with HTML of its own", &id.to_string())
        })?;
        let fields = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        Ok((fields, html).into_response())
    }

    /// The images of a message by their Content-ID, as data.
    fn images(mail: &Mail, raw: &[u8]) -> Vec<(String, String)> {
        let shown = |part: &&Part| {
            !part.content_id.is_empty()
                && matches!(
                    part.content_type.as_str(),
                    "image/png" | "image/jpeg" | "image/gif" | "image/webp"
                )
        };
        let data = |part: &Part| {
            let octets = mime::part(raw, mail, part.id)?.octets;
            let text = format!(
                "data:{};base64,{}",
                part.content_type,
                STANDARD.encode(octets)
            );
            Some((format!("cid:{}", part.content_id), text))
        };
        mail.parts.iter().filter(shown).filter_map(data).collect()
    }

    fn page(html: &str, images: &[(String, String)]) -> String {
        let cleaned = clean(html, images);
        format!(
            "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Message</title>\n\
             <style>body{{margin:.75rem;background:#fff;color:#111;font:15px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}}img{{max-width:100%}}</style>\n{cleaned}\n"
        )
    }

    /// The value of an attribute; `None` if it runs a script or loads something.
    fn attribute<'u>(
        images: &[(String, String)],
        tag: &str,
        name: &str,
        value: &'u str,
    ) -> Option<Cow<'u, str>> {
        match (tag, name) {
            ("img", "src") => match images.iter().find(|(id, _)| id == value) {
                Some((_, data)) => Some(data.clone().into()),
                None => value.starts_with("data:image/").then(|| value.into()),
            },
            (_, "href") => {
                let outside = ["http://", "https://", "mailto:"];
                let leads_out = outside.iter().any(|scheme| value.starts_with(scheme));
                leads_out.then(|| value.into())
            }
            (_, "src" | "background" | "cite" | "longdesc") => None,
            _ => Some(value.into()),
        }
    }

    /// The HTML with its styles and links, without anything that runs or loads.
    pub(super) fn clean(html: &str, images: &[(String, String)]) -> String {
        let images = images.to_vec();
        let properties: HashSet<_> = PROPERTIES.iter().copied().collect();
        ammonia::Builder::default()
            .add_tags(["font"])
            .add_generic_attributes(ATTRIBUTES.iter().copied())
            .add_url_schemes(["data", "cid"])
            .filter_style_properties(properties)
            .set_tag_attribute_value("a", "target", "_blank")
            .attribute_filter(move |tag, name, value| attribute(&images, tag, name, value))
            .clean(html)
            .to_string()
    }
}

#[cfg(all(test, feature = "page"))]
mod tests {
    use super::html::clean;

    #[track_caller]
    fn check(html: &str, expected: &str) {
        let images = [(
            "cid:logo".to_owned(),
            "data:image/png;base64,AA==".to_owned(),
        )];
        // The order of attributes is not specified.
        let found = clean(html, &images)
            .replace(" rel=\"noopener noreferrer\"", "")
            .replace(" target=\"_blank\"", "");
        assert_eq!(found, expected, "{html}");
    }

    #[test]
    fn scripts_and_remote_content_are_removed_and_styles_stay() {
        check("<p>Hello<script>alert(1)</script></p>", "<p>Hello</p>");
        check("<p onclick=\"alert(1)\">x</p>", "<p>x</p>");
        check("<img src=\"https://spy.test/x.png\">", "<img>");
        check(
            "<img src=\"cid:logo\">",
            "<img src=\"data:image/png;base64,AA==\">",
        );
        check("<img src=\"cid:other\">", "<img>");
        check(
            "<style>p{background:url(//spy.test)}</style><p>x</p>",
            "<p>x</p>",
        );
        check(
            "<p style=\"color:red;background:url(https://spy.test)\">x</p>",
            "<p style=\"color:red\">x</p>",
        );
        check(
            "<iframe src=\"/\"></iframe><form action=\"/\"><b>x</b></form>",
            "<b>x</b>",
        );
        check("<a href=\"javascript:alert(1)\">x</a>", "<a>x</a>");
        check(
            "<a href=\"https://example.test/\">x</a>",
            "<a href=\"https://example.test/\">x</a>",
        );
        check(
            "<meta http-equiv=\"refresh\" content=\"0;url=https://spy.test\"><base href=\"https://spy.test\">",
            "",
        );
    }
}
