//! Escapes text from the network for SVG and HTML.

use std::fmt::{self, Display, Write};

/// Maximum number of characters of one text from the network.
const LONGEST: usize = 300;

/// A text without markup and control characters, cut to a maximum length.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, character) in self.0.chars().enumerate() {
            if index == LONGEST {
                return f.write_char('…');
            }
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // XML does not allow control characters; characters that reverse the direction of a line could disguise
                // a name.
                c if c.is_control() || is_invisible(c) => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Characters without a visible shape: direction marks, joiners, the byte order mark, and XML's non-characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Breaks a text into at most `lines` lines of `width` characters, after a dot, colon, hyphen or space if there is one.
pub(super) fn wrapped(text: &str, width: usize, lines: usize) -> Vec<String> {
    let mut rest: Vec<char> = text.chars().collect();
    let mut wrapped = Vec::new();
    while rest.len() > width && wrapped.len() + 1 < lines {
        let breakable = |c: &char| matches!(c, '.' | ':' | '-' | ' ' | '@' | ',');
        let at = rest[..width]
            .iter()
            .rposition(breakable)
            .filter(|at| *at > width / 3)
            .map_or(width, |at| at + 1);
        let tail = rest.split_off(at);
        wrapped.push(rest.iter().collect::<String>().trim_end().to_owned());
        rest = tail;
    }
    if rest.len() > width {
        rest.truncate(width - 1);
        rest.push('…');
    }
    wrapped.push(rest.into_iter().collect());
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_the_network_is_markup() {
        let hostile = "</text><script>alert('1')</script>&\"\u{202e}\0";
        assert_eq!(
            Escaped(hostile).to_string(),
            "&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\u{fffd}\u{fffd}"
        );
        let long = "x".repeat(1000);
        assert_eq!(Escaped(&long).to_string().chars().count(), LONGEST + 1);
    }

    #[test]
    fn names_break_after_dots() {
        let name = "mail-bn1lp0150.outbound.protection.outlook.com";
        let expected = ["mail-bn1lp0150.outbound.", "protection.outlook.com"];
        assert_eq!(wrapped(name, 30, 3), expected);
        assert_eq!(wrapped("short", 30, 3), ["short"]);
        assert_eq!(wrapped(&"x".repeat(9), 4, 2), ["xxxx", "xxx…"]);
    }
}
