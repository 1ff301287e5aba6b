//! The tables of `docs/operations.md` say what the program has. With the environment variable `ZOOKIE_UPDATE_DOCS`, a test
//! writes its table instead of comparing it.

use std::collections::BTreeMap;
use std::{env, fs};

use clap::CommandFactory;
use tower_zookie::Warning;
use tower_zookie::cache::Miss;
use tower_zookie_sidecar::args::Args;
use tower_zookie_sidecar::proxy::warnings;

use crate::admin::get;
use crate::dashboards::Scrape;
use crate::running::Running;

const GUIDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");

/// Labels with more values are listed in a section of their own, or in the standards.
const MOST_VALUES: usize = 8;

/// Compares the lines between the marks of this name with `expected`.
fn compare(name: &str, expected: &[String]) {
    // Tests that write run at the same time.
    static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _writing = WRITING.lock().unwrap();
    let guide = fs::read_to_string(GUIDE).unwrap();
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = guide.split_once(&begin).expect("there is a mark");
    let (table, after) = rest.split_once(&end).expect("there is a mark");
    let expected = format!("\n{}\n\n", expected.join("\n"));
    if env::var_os("ZOOKIE_UPDATE_DOCS").is_some() {
        fs::write(GUIDE, [before, &begin, &expected, &end, after].concat()).unwrap();
    } else {
        assert_eq!(
            table, expected,
            "run the tests once with ZOOKIE_UPDATE_DOCS=1, and read what changed in docs/operations.md"
        );
    }
}

/// A table's row. Options, variables and URLs become code.
fn row<const N: usize>(cells: [&str; N]) -> String {
    let code = |word: &str| {
        let is_code = word.starts_with("--") || word.starts_with("http://") || word.starts_with('/');
        let bare = word.trim_end_matches([',', '.', ':', ';', ')']);
        match is_code {
            true => format!("`{bare}`{}", &word[bare.len()..]),
            false => word.to_owned(),
        }
    };
    let cell = |text: &&str| {
        let outside = text.split('`').enumerate().map(|(nth, part)| match nth % 2 {
            0 => part.split(' ').map(code).collect::<Vec<_>>().join(" "),
            _ => format!("`{part}`"),
        });
        outside.collect::<String>().replace('|', "\\|")
    };
    format!("| {} |", cells.iter().map(cell).collect::<Vec<_>>().join(" | "))
}

fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = String>) -> Vec<String> {
    let rule = "|---".repeat(N) + "|";
    [row(head), rule].into_iter().chain(rows).collect()
}

/// The documented items of a source file: each with the paragraphs of its comment, without code blocks and links.
fn documented(source: &str) -> Vec<(Vec<String>, &str)> {
    let (mut items, mut comment, mut in_code) = (Vec::new(), vec![String::new()], false);
    for line in source.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///").map(str::trim) {
            if text.starts_with("```") {
                in_code = !in_code;
            } else if text.is_empty() {
                comment.push(String::new());
            } else if let Some(paragraph) = comment.last_mut().filter(|_| !in_code) {
                *paragraph += if paragraph.is_empty() { "" } else { " " };
                *paragraph += text;
            }
        } else if !line.starts_with("#[") {
            let paragraphs = std::mem::replace(&mut comment, vec![String::new()]);
            items.push((paragraphs.iter().map(|text| without_links(text)).collect(), line));
        }
    }
    items
}

/// `[text](target)` and `[text]` become the text.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((inside, after)) = after.split_once(']') else {
            break;
        };
        plain += before;
        plain += inside;
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

#[test]
fn options() {
    let command = Args::command();
    let rows = command.get_arguments().map(|option| {
        let long = format!("`--{}`", option.get_long().unwrap());
        let variable = format!("`{}`", option.get_env().unwrap().to_str().unwrap());
        let defaults = option.get_default_values();
        let takes_values = option.get_action().takes_values();
        let default = match defaults.first() {
            Some(default) if takes_values => format!("`{}`", default.to_str().unwrap()),
            _ if option.is_required_set() => "required".to_owned(),
            _ => String::new(),
        };
        let help = option.get_long_help().or(option.get_help()).unwrap().to_string();
        let values = option.get_possible_values();
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let help = match takes_values && !values.is_empty() {
            true => format!("{help} ({})", values.join(", ")),
            false => help,
        };
        row([&long, &variable, &default, &help])
    });
    compare(
        "options",
        &table(["option", "environment variable", "default", "what"], rows),
    );
}

#[test]
fn settings() {
    let sources = [
        include_str!("../../../src/layer/builder.rs"),
        include_str!("../../../src/cache/settings.rs"),
        include_str!("../../../src/token/carrier/mod.rs"),
    ];
    let setting = |item: &str| {
        let (name, _) = item.strip_prefix("pub fn ")?.split_once("(mut self")?;
        Some(format!("`{name}`"))
    };
    let rows: Vec<_> = sources
        .into_iter()
        .flat_map(documented)
        .filter_map(|(paragraphs, item)| {
            let name = setting(item)?;
            let of_default = |text: &String| {
                ["By default", "Off by default"]
                    .iter()
                    .find_map(|start| text.find(start))
            };
            let found = paragraphs.iter().find_map(|text| Some((text, of_default(text)?)));
            let (said, start) = found.unwrap_or_else(|| panic!("{name} does not say its default"));
            let what = match said == &paragraphs[0] {
                true => said[..start].trim(),
                false => &paragraphs[0],
            };
            Some(row([&name, what, said[start..].trim()]))
        })
        .collect();
    assert!(rows.len() > 25);
    compare("settings", &table(["setting", "what", "default and limits"], rows));
}

#[tokio::test]
async fn metrics() {
    let sidecar = Running::with(&["--upstream", "http://127.0.0.1:1"]).await;
    let text = get(sidecar.admin, "/metrics").await.1;
    let scrape = Scrape::read(&text);
    let kinds: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .collect();
    let help = text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    let rows: Vec<_> = help
        .map(|(name, what)| {
            let labels = scrape
                .labels(name)
                .into_iter()
                .map(|(label, values)| match values.len() {
                    1..=MOST_VALUES if label != "version" => format!("`{label}`: {}", code_list(values)),
                    _ => format!("`{label}`"),
                });
            row([
                &format!("`{name}`"),
                kinds[name],
                &labels.collect::<Vec<_>>().join("; "),
                what,
            ])
        })
        .collect();
    assert!(rows.len() > 20);
    compare("metrics", &table(["metric", "type", "labels", "what"], rows));
}

fn code_list(values: impl IntoIterator<Item = String>) -> String {
    let values = values.into_iter().map(|value| format!("`{value}`"));
    values.collect::<Vec<_>>().join(", ")
}

/// The comments that say a name, as in ``/// `behind`: a reply lies below what was asked.``
fn named(source: &str) -> Vec<(String, String)> {
    let named = documented(source).into_iter().filter_map(|(paragraphs, _)| {
        let (name, what) = paragraphs[0].strip_prefix('`')?.split_once("`: ")?;
        Some((name.to_owned(), what.trim_end_matches('.').to_owned()))
    });
    named.collect()
}

#[test]
fn misses() {
    let reasons = named(include_str!("../../../src/cache/miss.rs"));
    let mut listed: Vec<&str> = reasons.iter().map(|(name, _)| name.as_str()).collect();
    let mut all: Vec<&str> = Miss::ALL.iter().map(|why| why.name()).collect();
    listed.sort_unstable();
    all.sort_unstable();
    assert_eq!(listed, all, "every reason has a comment that begins with its name");
    let rows = reasons.iter().map(|(name, what)| row([&format!("`{name}`"), what]));
    compare("misses", &table(["reason", "why"], rows));
}

#[test]
fn warned_of() {
    let of_layer = named(include_str!("../../../src/warnings.rs"));
    let of_sidecar = named(include_str!("../../src/proxy/warnings.rs"));
    let names = |warnings: &[(String, String)]| warnings.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let all: Vec<&str> = Warning::ALL.iter().map(|warning| warning.name()).collect();
    assert_eq!(
        names(&of_layer),
        all,
        "every warning has a comment that begins with its name"
    );
    assert_eq!(names(&of_sidecar), warnings::ALL);
    let rows = of_layer
        .iter()
        .chain(&of_sidecar)
        .map(|(name, what)| row([&format!("`{name}`"), what]));
    compare("warnings", &table(["warning", "what is wrong"], rows));
}

#[test]
fn endpoints() {
    let guide = fs::read_to_string(GUIDE).unwrap();
    let source = include_str!("../../src/proxy/admin/mod.rs");
    let routes = source
        .split(".route(\"")
        .skip(1)
        .map(|after| after.split('"').next().unwrap());
    let routes: Vec<&str> = routes.chain(["/stats"]).collect();
    assert!(routes.len() > 6);
    for route in routes {
        assert!(guide.contains(&format!(" {route}")), "{route} is not in the guide");
    }
}
