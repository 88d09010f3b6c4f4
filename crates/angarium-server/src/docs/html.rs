//! Markdown as a page of HTML: one file, one style sheet, no script, nothing from elsewhere.
//!
//! Markup in the Markdown itself is shown, never obeyed, and a link leads only to the web or within
//! the page; the policy of the page then forbids everything but its style sheet.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pulldown_cmark::{
    CodeBlockKind, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd,
};
use std::collections::HashMap;
use std::fmt::Write;
use std::iter::Peekable;

/// The page's one style sheet.
const STYLE: &str = include_str!("page.css");

/// A page and the policy under which a browser should show it.
#[derive(Debug)]
pub struct HtmlPage {
    /// The file.
    pub text: String,
    /// The value of `Content-Security-Policy`. It is in the file as well, for files that no server
    /// serves.
    pub policy: String,
}

/// Where the page's other forms are.
#[derive(Debug)]
pub struct Links {
    markdown: String,
    openapi: String,
}

impl Links {
    /// Beside the page of an environment.
    pub fn of(slug: &str) -> Self {
        Self { markdown: format!("/docs/{slug}.md"), openapi: format!("/docs/{slug}/openapi.json") }
    }
}

/// Makes the page.
pub fn render(markdown: &str, title: &str, links: Option<&Links>) -> HtmlPage {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let mut writer = Writer::default();
    let events: Vec<_> = Parser::new_ext(markdown, Options::ENABLE_TABLES).collect();
    writer.write(events.into_iter().peekable());
    let mut body = String::with_capacity(markdown.len() * 2);
    pulldown_cmark::html::push_html(&mut body, writer.events.into_iter());
    let title = escaped(title);
    let contents = contents(&writer.headings);
    let forms = links.map(forms).unwrap_or_default();
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#page\">Skip to the text</a>\n\
         <nav aria-label=\"Contents\">\n{contents}{forms}</nav>\n\
         <main id=\"page\">\n{body}</main>\n</body>\n</html>\n"
    );
    HtmlPage { text, policy }
}

fn forms(links: &Links) -> String {
    let (markdown, openapi) = (escaped(&links.markdown), escaped(&links.openapi));
    format!(
        "<p class=\"forms\"><a href=\"{markdown}\">Markdown</a> \
         <a href=\"{openapi}\">OpenAPI</a></p>\n"
    )
}

/// The table of contents: headings of the two levels below the title.
fn contents(headings: &[Heading]) -> String {
    let mut out = String::from("<ol>\n");
    let mut open = false;
    for heading in headings {
        let link = format!("<a href=\"#{}\">{}</a>", heading.id, heading.html);
        match heading.level {
            HeadingLevel::H2 => {
                out.push_str(if open { "</ol></li>\n" } else { "" });
                let _ = write!(out, "<li>{link}<ol>");
                open = true;
            }
            HeadingLevel::H3 if open => {
                let _ = write!(out, "<li>{link}</li>");
            }
            HeadingLevel::H1
            | HeadingLevel::H3
            | HeadingLevel::H4
            | HeadingLevel::H5
            | HeadingLevel::H6 => {}
        }
    }
    out.push_str(if open { "</ol></li>\n" } else { "" });
    out.replace("<ol></ol>", "") + "</ol>\n"
}

/// A heading of the page.
#[derive(Debug)]
struct Heading {
    level: HeadingLevel,
    id: String,
    /// Its text, escaped, codes marked.
    html: String,
}

/// Goes through the events of the Markdown once and makes those of the page.
#[derive(Default)]
struct Writer<'a> {
    events: Vec<Event<'a>>,
    headings: Vec<Heading>,
    ids: HashMap<String, usize>,
    groups: usize,
}

impl<'a> Writer<'a> {
    fn write(&mut self, mut events: Peekable<impl Iterator<Item = Event<'a>>>) {
        while let Some(event) = events.next() {
            match event {
                Event::Start(Tag::Heading { level, .. }) => self.heading(level, &mut events),
                Event::Start(Tag::CodeBlock(kind)) => self.code(kind, &mut events),
                Event::Start(Tag::Table(alignments)) => {
                    let opening = "<div class=\"scroll\" role=\"region\" aria-label=\"Table\" \
                                   tabindex=\"0\">";
                    self.html(opening.to_owned());
                    self.events.push(Event::Start(Tag::Table(alignments)));
                }
                Event::End(TagEnd::Table) => {
                    self.events.push(event);
                    self.html("</div>\n".to_owned());
                }
                // Markup in the text is shown as text.
                Event::Html(text) | Event::InlineHtml(text) => self.events.push(Event::Text(text)),
                Event::Start(Tag::Link { dest_url, .. }) => {
                    let link = Tag::Link {
                        link_type: LinkType::Inline,
                        dest_url: harmless(dest_url),
                        title: "".into(),
                        id: "".into(),
                    };
                    self.events.push(Event::Start(link));
                }
                // Nothing is fetched: an image is its own description.
                Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
                other => self.events.push(other),
            }
        }
    }

    fn html(&mut self, text: String) {
        self.events.push(Event::Html(text.into()));
    }

    /// A heading with an anchor.
    fn heading(
        &mut self,
        level: HeadingLevel,
        events: &mut Peekable<impl Iterator<Item = Event<'a>>>,
    ) {
        let (mut text, mut html) = (String::new(), String::new());
        for event in events.by_ref() {
            match event {
                Event::End(TagEnd::Heading(_)) => break,
                Event::Code(code) => {
                    text.push_str(&code);
                    let _ = write!(html, "<code>{}</code>", escaped(&code));
                }
                Event::Text(plain) | Event::Html(plain) | Event::InlineHtml(plain) => {
                    text.push_str(&plain);
                    html.push_str(&escaped(&plain));
                }
                _ => {}
            }
        }
        let id = self.id(&text);
        let tag = level.to_string();
        self.html(format!(
            "<{tag} id=\"{id}\">{html}<a class=\"anchor\" href=\"#{id}\" \
             aria-label=\"Link to this section\">#</a></{tag}>\n"
        ));
        self.headings.push(Heading { level, id, html });
    }

    /// The anchor of a heading, as the usual readers of Markdown make it.
    fn id(&mut self, text: &str) -> String {
        let kept = |c: char| c.is_alphanumeric() || c == '-' || c == '_' || c == ' ';
        let id: String = text.to_lowercase().chars().filter(|c| kept(*c)).collect();
        let id = id.replace(' ', "-");
        let seen = self.ids.entry(id.clone()).or_default();
        *seen += 1;
        match *seen {
            1 => id,
            more => format!("{id}-{}", more - 1),
        }
    }

    /// A block of code. Blocks that follow each other directly say the same in several languages;
    /// they share one place, with a tab for each.
    fn code(
        &mut self,
        kind: CodeBlockKind<'a>,
        events: &mut Peekable<impl Iterator<Item = Event<'a>>>,
    ) {
        let mut blocks = vec![Block::read(&kind, events)];
        while let Some(Event::Start(Tag::CodeBlock(kind))) =
            events.next_if(|event| matches!(event, Event::Start(Tag::CodeBlock(_))))
        {
            blocks.push(Block::read(&kind, events));
        }
        if let [one] = &blocks[..] {
            return self.html(one.html());
        }
        self.groups += 1;
        let group = self.groups;
        let mut tabs = String::from("<fieldset class=\"tabs\"><legend>Language</legend>\n");
        for (i, block) in blocks.iter().enumerate() {
            let checked = if i == 0 { " checked" } else { "" };
            let _ = writeln!(
                tabs,
                "<input type=\"radio\" name=\"tabs-{group}\" id=\"tab-{group}-{i}\"{checked}>\
                 <label for=\"tab-{group}-{i}\">{}</label>",
                escaped(&block.name)
            );
        }
        for block in &blocks {
            let _ = write!(
                tabs,
                "<div class=\"panel\"><p>{}</p>\n{}</div>\n",
                escaped(&block.name),
                block.html()
            );
        }
        self.html(tabs + "</fieldset>\n");
    }
}

/// A block of code, read.
struct Block {
    language: String,
    /// The language's name for people.
    name: String,
    code: String,
}

impl Block {
    fn read<'a>(
        kind: &CodeBlockKind<'a>,
        events: &mut Peekable<impl Iterator<Item = Event<'a>>>,
    ) -> Self {
        let info = match kind {
            CodeBlockKind::Fenced(info) => info.as_ref(),
            CodeBlockKind::Indented => "",
        };
        let (language, name) = info.split_once(' ').unwrap_or((info, info));
        let mut block =
            Self { language: language.to_owned(), name: name.to_owned(), code: String::new() };
        for event in events.by_ref() {
            match event {
                Event::End(TagEnd::CodeBlock) => break,
                Event::Text(text) => block.code.push_str(&text),
                _ => {}
            }
        }
        block
    }

    fn html(&self) -> String {
        format!(
            "<pre tabindex=\"0\"><code class=\"language-{}\">{}</code></pre>\n",
            escaped(&self.language),
            escaped(&self.code)
        )
    }
}

/// A link's goal, if it is on the web or in the page.
fn harmless(goal: CowStr<'_>) -> CowStr<'_> {
    let allowed = ["https://", "http://", "mailto:", "#", "/"];
    if allowed.iter().any(|start| goal.starts_with(start)) { goal } else { "#".into() }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_the_text_is_shown_and_never_obeyed() {
        let hostile = "# <script>alert(1)</script>\n\n<img src=x onerror=y>\n\nIn <b onclick=x>a \
                       line</b>, [a link](javascript:alert(1)) and ![an image](https://x/y.png)\n\n\
                       ```a\"><script>\n</code></pre><script>alert(2)</script>\n```\n\n\
                       | <i>a</i> |\n|---|\n| <script>b</script> |\n";
        let page = render(hostile, "</title><script>", None).text;
        for bad in ["<script", "<img", "<b ", "<i>", "javascript:", "</title><"] {
            assert!(!page.contains(bad), "{bad} in {page}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn headings_have_anchors_of_their_own_and_stand_in_the_contents() {
        let page = render("# T\n\n## `a.b` c\n\n### D\n\n## `a.b` c\n", "T", None).text;
        for expected in [
            "<h2 id=\"ab-c\"><code>a.b</code> c<a class=\"anchor\" href=\"#ab-c\"",
            "<h2 id=\"ab-c-1\">",
            "<li><a href=\"#ab-c\"><code>a.b</code> c</a><ol><li><a href=\"#d\">D</a></li></ol>",
        ] {
            assert!(page.contains(expected), "{expected} in {page}");
        }
    }

    #[test]
    fn blocks_of_code_that_follow_each_other_are_tabs_without_a_script() {
        let page =
            render("```python Python\na\n```\n```go Go\nb\n```\n\nc\n\n```sh\nd\n```\n", "T", None);
        assert_eq!(page.text.matches("type=\"radio\"").count(), 2, "{}", page.text);
        assert_eq!(page.text.matches(" checked>").count(), 1);
        assert_eq!(page.text.matches("class=\"panel\"").count(), 2);
        assert!(page.text.contains("language-sh"));
    }

    #[test]
    fn the_policy_allows_the_style_sheet_and_nothing_else() {
        let page = render("# T\n", "T", None);
        assert!(page.policy.starts_with("default-src 'none'; style-src 'sha256-"));
        assert!(!page.policy.contains("unsafe") && !page.policy.contains("script"));
        assert!(page.text.contains(&page.policy) && page.text.contains("<style>"));
        assert!(!page.text.contains(" style=\"") && !page.text.contains("<script"));
    }
}
