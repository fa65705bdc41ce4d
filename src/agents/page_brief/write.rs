//! From a page's elements to blocks: headings, paragraphs, items of lists, tables, code; as plain text and as Markdown at once.
//!
//! It walks with a stack of its own: a stranger's page may be nested as deep as it likes.

use std::ops::Range;

use dom_query::NodeRef;
use url::Url;

use super::{
    inline::{Around, Inline, Line},
    links::resolved,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1 to 6.
    Heading(u8),
    Prose,
    Item,
    /// A table's.
    Row,
    Code,
}

/// A piece of the text, without the marks of lists before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub kind: Kind,
    /// Bytes of `text`.
    pub text: Range<usize>,
    /// Where its Markdown ends, in bytes.
    pub markdown_end: usize,
}

#[derive(Default)]
pub struct Written {
    pub text: String,
    pub markdown: String,
    pub blocks: Vec<Block>,
    /// Code within running text: bytes of `text`.
    pub code: Vec<Range<usize>>,
}

/// Deeper lists and quotations are shown as this deep.
const NESTED_MAX: usize = 6;
/// Elements of a table that are looked at, to tell whether it holds data or merely places things on the page.
const TABLE_LOOK_MAX: usize = 2_000;
const CELL_CHARS_MAX: usize = 400;

/// Everything below `root`. `base`: what its links are relative to.
pub fn write(root: &NodeRef, base: Option<&Url>) -> Written {
    let mut writer = Writer { base, ..Writer::default() };
    let mut open: Vec<(NodeRef, Leave)> = Vec::new();
    let mut next = root.first_child();
    loop {
        match next {
            Some(node) => {
                let leave = writer.enter(&node);
                next = if leave == Leave::Unread { None } else { node.first_child() };
                open.push((node, leave));
            }
            None => {
                let Some((node, leave)) = open.pop() else { break };
                writer.leave(leave);
                next = node.next_sibling();
            }
        }
    }
    writer.flush(Kind::Prose);
    writer.written
}

/// What is to be done when an element ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leave {
    Nothing,
    /// Its children are not looked at.
    Unread,
    Inline,
    Block(Kind),
    List,
    Quote,
    Table,
    Row,
    Cell,
}

#[derive(Default)]
struct Writer<'b> {
    base: Option<&'b Url>,
    written: Written,
    line: Inline,
    lists: Vec<List>,
    quotes: usize,
    table: Option<Table>,
}

struct List {
    /// The next item's number.
    number: Option<usize>,
    /// Before the next block: it is an item's first.
    mark: Option<String>,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<Line>>,
}

impl Writer<'_> {
    fn enter(&mut self, node: &NodeRef) -> Leave {
        if node.is_text() {
            self.line.text(&node.text());
            return Leave::Nothing;
        }
        let Some(name) = node.node_name() else { return Leave::Nothing };
        if node.has_attr("hidden") || node.attr("aria-hidden").is_some_and(|hidden| &*hidden == "true") {
            return Leave::Unread;
        }
        match &*name {
            "script" | "style" | "noscript" | "template" | "head" | "title" | "svg" | "math" | "iframe" | "object" | "canvas" | "video"
            | "audio" | "button" | "input" | "select" | "textarea" | "dialog" => Leave::Unread,
            "br" => {
                if self.table.is_some() { self.line.space() } else { self.line.line_break() }
                Leave::Nothing
            }
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = name.as_bytes()[1] - b'0';
                self.block(Kind::Heading(level))
            }
            "pre" => {
                self.code(node);
                Leave::Unread
            }
            "ul" | "ol" | "menu" | "dir" => {
                self.flush(Kind::Prose);
                let number = (&*name == "ol").then(|| node.attr("start").and_then(|start| start.parse().ok()).unwrap_or(1));
                self.lists.push(List { number, mark: None });
                Leave::List
            }
            "li" => {
                self.flush(Kind::Prose);
                if let Some(list) = self.lists.last_mut() {
                    list.mark = Some(list.number.map_or_else(|| "- ".to_owned(), |number| format!("{number}. ")));
                    list.number = list.number.map(|number| number.saturating_add(1));
                }
                Leave::Block(Kind::Item)
            }
            "blockquote" => {
                self.flush(Kind::Prose);
                self.quotes += 1;
                Leave::Quote
            }
            "table" if self.table.is_none() && holds_data(node) => {
                self.flush(Kind::Prose);
                self.table = Some(Table::default());
                Leave::Table
            }
            "tr" if self.table.is_some() => {
                if let Some(table) = &mut self.table {
                    table.rows.push(Vec::new());
                }
                Leave::Row
            }
            "td" | "th" if self.table.is_some() => {
                self.line.take();
                Leave::Cell
            }
            "a" => self.link(node),
            "b" | "strong" => self.around(Around::Strong),
            "i" | "em" | "cite" => self.around(Around::Emphasis),
            "code" | "kbd" | "samp" | "tt" => self.around(Around::Code),
            "address" | "article" | "aside" | "body" | "caption" | "center" | "dd" | "details" | "div" | "dl" | "dt" | "fieldset" | "figcaption"
            | "figure" | "footer" | "form" | "header" | "hgroup" | "hr" | "html" | "legend" | "main" | "nav" | "p" | "search" | "section"
            | "summary" | "table" | "tbody" | "td" | "tfoot" | "th" | "thead" | "tr" => self.block(Kind::Prose),
            _ => Leave::Nothing,
        }
    }

    fn block(&mut self, kind: Kind) -> Leave {
        self.flush(Kind::Prose);
        Leave::Block(kind)
    }

    fn around(&mut self, around: Around) -> Leave {
        if self.line.open(around) { Leave::Inline } else { Leave::Nothing }
    }

    fn link(&mut self, node: &NodeRef) -> Leave {
        let Some(href) = node.attr("href") else { return Leave::Nothing };
        // The sign beside a heading that links to itself.
        if href.starts_with('#') && matches!(node.text().trim(), "" | "§" | "#" | "¶" | "🔗") {
            return Leave::Unread;
        }
        match resolved(&href, self.base) {
            Some(url) if url.starts_with("http") => self.around(Around::Link(url)),
            _ => Leave::Nothing,
        }
    }

    fn leave(&mut self, leave: Leave) {
        match leave {
            Leave::Nothing | Leave::Unread => {}
            Leave::Inline => self.line.close(),
            Leave::Block(kind) => self.flush(kind),
            Leave::List => {
                self.flush(Kind::Prose);
                self.lists.pop();
            }
            Leave::Quote => {
                self.flush(Kind::Prose);
                self.quotes -= 1;
            }
            Leave::Cell => {
                let cell = self.line.take();
                if let Some(row) = self.table.as_mut().and_then(|table| table.rows.last_mut()) {
                    row.push(cell);
                }
            }
            Leave::Row => drop(self.line.take()),
            Leave::Table => {
                let rows = self.table.take().map(|table| table.rows).unwrap_or_default();
                self.rows(rows);
            }
        }
    }

    /// Ends the block that is open. In a table there are only cells.
    fn flush(&mut self, kind: Kind) {
        if self.table.is_some() {
            return self.line.space();
        }
        let mut line = self.line.take();
        if line.text.is_empty() {
            return;
        }
        let depth = self.lists.len().min(NESTED_MAX);
        let mark = self.lists.last_mut().and_then(|list| list.mark.take());
        let indent = "  ".repeat(if mark.is_some() { depth.saturating_sub(1) } else { depth });
        let kind = if depth > 0 && kind == Kind::Prose { Kind::Item } else { kind };
        let mark = mark.unwrap_or_default();
        let markdown = match kind {
            Kind::Heading(level) => {
                line.text = line.text.replace('\n', " ");
                format!("{} {}", "#".repeat(level.into()), line.markdown.replace("  \n", " "))
            }
            _ => unmarked(line.markdown),
        };
        let quote = "> ".repeat(self.quotes.min(NESTED_MAX));
        let markdown = format!("{quote}{indent}{mark}{}", markdown.replace('\n', &format!("\n{quote}{indent}")));
        let indent = if matches!(kind, Kind::Heading(_)) { String::new() } else { format!("{indent}{mark}") };
        self.push(kind, &indent, line.text, &markdown, line.code);
    }

    fn push(&mut self, kind: Kind, before: &str, text: String, markdown: &str, code: Vec<Range<usize>>) {
        let last = self.written.blocks.last().map(|block| block.kind);
        let between = match (last, kind) {
            (None, _) => "",
            (Some(Kind::Item), Kind::Item) | (Some(Kind::Row), Kind::Row) => "\n",
            _ => "\n\n",
        };
        let written = &mut self.written;
        written.text.push_str(between);
        written.text.push_str(before);
        written.markdown.push_str(between);
        written.markdown.push_str(markdown);
        let start = written.text.len();
        written.text.push_str(&text);
        written.code.extend(code.into_iter().map(|code| start + code.start..(start + code.end).min(written.text.len())));
        written.blocks.push(Block { kind, text: start..written.text.len(), markdown_end: written.markdown.len() });
    }

    fn code(&mut self, node: &NodeRef) {
        let code = node.text();
        if self.table.is_some() {
            return self.line.text(&code);
        }
        self.flush(Kind::Prose);
        let lines: Vec<&str> = code.lines().map(str::trim_end).collect();
        let code = lines.join("\n");
        let code = code.trim_matches('\n');
        if code.trim().is_empty() {
            return;
        }
        let longest = code.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        self.push(Kind::Code, "", code.to_owned(), &format!("{fence}\n{code}\n{fence}"), Vec::new());
    }

    /// Markdown's tables have a head: the first row.
    fn rows(&mut self, rows: Vec<Vec<Line>>) {
        let rows: Vec<Vec<Line>> = rows.into_iter().filter(|row| row.iter().any(|cell| !cell.text.is_empty())).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        for (index, row) in rows.into_iter().enumerate() {
            let (mut text, mut markdown, mut code) = (String::new(), String::from("|"), Vec::new());
            for (at, cell) in row.iter().enumerate() {
                if at > 0 {
                    text.push_str(" | ");
                }
                code.extend(cell.code.iter().map(|code| text.len() + code.start..text.len() + code.end));
                text.push_str(&cell.text);
                markdown.push_str(&format!(" {} |", cell.markdown));
            }
            markdown.push_str(&"  |".repeat(columns - row.len()));
            if index == 0 {
                markdown.push_str(&format!("\n|{}", " --- |".repeat(columns)));
            }
            self.push(Kind::Row, "", text, &markdown, code);
        }
    }
}

/// What would begin a heading, a list or a quotation is text.
fn unmarked(markdown: String) -> String {
    let digits = markdown.bytes().take_while(u8::is_ascii_digit).count();
    if markdown.starts_with(['#', '-', '+', '=']) {
        format!("\\{markdown}")
    } else if digits > 0 && markdown[digits..].starts_with(['.', ')']) {
        format!("{}\\{}", &markdown[..digits], &markdown[digits..])
    } else {
        markdown
    }
}

/// At least two columns and two rows of short cells, and nothing in them that wants to be a block of its own.
fn holds_data(table: &NodeRef) -> bool {
    let (mut rows, mut cells) = (0_usize, 0_usize);
    for node in table.descendants_it().take(TABLE_LOOK_MAX) {
        let Some(name) = node.node_name() else { continue };
        match &*name {
            "table" | "ul" | "ol" | "dl" | "pre" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "blockquote" | "section" | "article" => return false,
            "tr" => rows += 1,
            "td" | "th" => {
                cells += 1;
                if node.text().chars().nth(CELL_CHARS_MAX).is_some() {
                    return false;
                }
            }
            _ => {}
        }
    }
    rows > 1 && cells > rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use dom_query::Document;

    fn written(html: &str) -> Written {
        write(&Document::from(html).root(), Url::parse("https://shop.example/a/b").ok().as_ref())
    }

    #[test]
    fn headings_lists_links_code_and_tables_are_kept() {
        let page = written(
            "<h2>Prices <a href='#p'>§</a></h2><p>See <a href=c?d>the <b>list</b></a>.<br>Or <i>ask</i>.</p>\
             <ol start=3><li>One<ul><li>Deep <code>a_b</code></ul><li><p>Two</p><p>More</p></ol>\
             <blockquote><p>Said.</p></blockquote><pre>\nlet a = 1;\n  b``` </pre>\
             <table><tr><th>Kind<th>Price<tr><td>A|B<td>$5</table>",
        );
        assert_eq!(
            page.text,
            "Prices\n\nSee the list.\nOr ask.\n\n3. One\n  - Deep a_b\n4. Two\n  More\n\nSaid.\n\nlet a = 1;\n  b```\n\nKind | Price\nA|B | $5"
        );
        assert_eq!(
            page.markdown,
            "## Prices\n\nSee [the **list**](https://shop.example/a/c?d).  \nOr *ask*.\n\n3. One\n  - Deep `a_b`\n4. Two\n  More\n\n> Said.\n\n\
             ````\nlet a = 1;\n  b```\n````\n\n| Kind | Price |\n| --- | --- |\n| A\\|B | $5 |"
        );
        let kinds: Vec<Kind> = page.blocks.iter().map(|block| block.kind).collect();
        use Kind::*;
        assert_eq!(kinds, [Heading(2), Prose, Item, Item, Item, Item, Prose, Code, Row, Row]);
        assert_eq!(page.code.iter().map(|code| &page.text[code.clone()]).collect::<Vec<_>>(), ["a_b"]);
        assert_eq!(page.blocks.last().map(|block| block.markdown_end), Some(page.markdown.len()));
    }

    #[test]
    fn a_table_that_only_places_things_is_read_as_text() {
        let page = written("<table><tr><td><h1>Title</h1><p>One.</p><td><ul><li>Two</ul></table>");
        assert_eq!(page.text, "Title\n\nOne.\n\n- Two");
    }

    #[test]
    fn what_is_not_to_be_seen_is_not_read() {
        let page = written("<p>a<script>b</script><span hidden>c</span><svg><text>d</text></svg><span aria-hidden=true>e</span></p><style>f</style>");
        assert_eq!(page.text, "a");
    }

    #[test]
    fn d4_no_line_becomes_more_than_it_was() {
        let page = written("<p># no heading</p><p>- no item</p><p>1. no number</p><p>&lt;script&gt;</p><a href='javascript:x'>y</a>");
        assert_eq!(page.markdown, "\\# no heading\n\n\\- no item\n\n1\\. no number\n\n\\<script\\>\n\ny");
    }

    #[test]
    fn depth_costs_no_stack() {
        let page = written(&format!("{}x", "<div><b>".repeat(20_000)));
        assert_eq!(page.text, "x");
    }
}
