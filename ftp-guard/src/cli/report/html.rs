//! The report as one page of HTML: no scripts, nothing from elsewhere, and every text escaped, since much of it
//! came over the network.

use std::fmt::Write as _;

use super::page::{Page, Section};

const STYLE: &str = "\
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2.5rem;border-bottom:1px solid #d0d7de}h3{font-size:1rem;margin:1.2rem 0 .3rem}
table{border-collapse:collapse}th,td{text-align:left;padding:.15rem 1.2rem .15rem 0;vertical-align:top;overflow-wrap:anywhere}
thead th{border-bottom:1px solid #d0d7de}tbody th{font-weight:normal;color:#57606a}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}tbody th{color:#9198a1}h2,thead th{border-color:#3d444d}}
";

/// The whole page.
pub(super) fn render(page: &Page) -> String {
    let title = escaped(&page.title);
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for section in &page.sections {
        write_section(&mut html, section);
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn write_section(html: &mut String, section: &Section) {
    // Writing to a String cannot fail.
    let _ = writeln!(html, "<h2>{}</h2>", escaped(section.title));
    html.push_str("<table><tbody>\n");
    for (name, value) in &section.facts {
        let (name, value) = (escaped(name), escaped(value));
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>"
        );
    }
    html.push_str("</tbody></table>\n");
    for table in &section.tables {
        let _ = writeln!(
            html,
            "<h3>{}</h3>\n<table><thead><tr>",
            escaped(&table.title)
        );
        for name in &table.header {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escaped(name));
        }
        html.push_str("</tr></thead><tbody>\n");
        for row in &table.rows {
            html.push_str("<tr>");
            for cell in row {
                let _ = write!(html, "<td>{}</td>", escaped(cell));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table>\n");
    }
}

/// A text between tags, or in an attribute's quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if letter.is_control() => safe.push('\u{fffd}'),
            letter => safe.push(letter),
        }
    }
    safe
}
