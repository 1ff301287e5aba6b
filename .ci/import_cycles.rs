//! Finds circles of imports between the files of a crate: `import_cycles SRC`.
//!
//! A file imports another one if it names an item that the other defines, with a path that begins with `crate::` (also
//! through a re-export). Re-exports themselves and tests are no imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

/// A source file: its text without tests, what it defines and what it re-exports.
struct File {
    text: String,
    defines: BTreeSet<String>,
    reexports: BTreeMap<String, Vec<String>>,
}

type Files = BTreeMap<Vec<String>, File>;

fn main() -> ExitCode {
    let root = PathBuf::from(env::args().nth(1).expect("usage: import_cycles SRC"));
    let mut files = Files::new();
    read(&root, &mut Vec::new(), &mut files);
    let imports: BTreeMap<_, _> = files.keys().map(|module| (module, imports(module, &files))).collect();
    let reaches = |from: &Vec<String>| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(module) = next.pop() {
            for import in &imports[module] {
                if seen.insert(import) {
                    next.push(import);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<_, _> = files.keys().map(|module| (module, reaches(module))).collect();
    let in_circle: Vec<_> = files.keys().filter(|module| reached[module].contains(module)).collect();
    for module in &in_circle {
        let back = imports[module].iter().filter(|import| reached[import].contains(module));
        let names: Vec<_> = back.map(|import| import.join("::")).collect();
        println!("{} imports, in a circle: {}", module.join("::"), names.join(", "));
    }
    println!(
        "{} files, {} of them in circles of imports",
        files.len(),
        in_circle.len()
    );
    if in_circle.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Reads the files below a folder, tests left out.
fn read(folder: &Path, module: &mut Vec<String>, files: &mut Files) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if name == "tests" || name == "testing" || name == "laws" {
            continue;
        }
        if path.is_dir() {
            module.push(name);
            read(&path, module, files);
            module.pop();
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let mut path_of_module = module.clone();
            if name != "mod" && name != "lib" {
                path_of_module.push(name);
            }
            files.insert(
                path_of_module,
                parse(&fs::read_to_string(&path).expect("readable text")),
            );
        }
    }
}

fn parse(text: &str) -> File {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let text: String = code.flat_map(|line| [line, "\n"]).collect();
    let mut defines = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with(' ')) {
        let words: Vec<_> = line
            .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '!')
            .collect();
        for (kind, name) in words.iter().zip(words.iter().skip(1)) {
            if [
                "fn",
                "struct",
                "enum",
                "trait",
                "type",
                "const",
                "static",
                "macro_rules!",
            ]
            .contains(kind)
            {
                defines.insert((*name).to_owned());
                break;
            }
        }
    }
    let mut reexports = BTreeMap::new();
    for (visible, path) in uses(&text) {
        if visible && let Some(name) = path.last() {
            reexports.insert(name.clone(), path);
        }
    }
    File {
        text,
        defines,
        reexports,
    }
}

/// The paths of all `use` items, and whether they are re-exports.
fn uses(text: &str) -> Vec<(bool, Vec<String>)> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("use ") {
        let before = text[..at].rsplit('\n').next().unwrap_or_default();
        let visible = before.starts_with("pub");
        if !visible && !before.trim().is_empty() {
            continue;
        }
        let item = text[at + 4..].split(';').next().unwrap_or_default();
        let item: String = item.split_whitespace().collect::<Vec<_>>().join(" ");
        expand(&item, &[], &mut |path| found.push((visible, path)));
    }
    found
}

/// Calls `each` with every path of a tree such as `a::{b, c::d as e}`.
fn expand(tree: &str, prefix: &[String], each: &mut dyn FnMut(Vec<String>)) {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let head = tree[..open].split("::").map(str::trim).filter(|part| !part.is_empty());
        let prefix: Vec<_> = prefix.iter().cloned().chain(head.map(str::to_owned)).collect();
        let inner = tree[open + 1..].trim_end().trim_end_matches('}');
        let (mut depth, mut start) = (0, 0);
        for (at, c) in inner.char_indices() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    expand(&inner[start..at], &prefix, each);
                    start = at + 1;
                }
                _ => {}
            }
        }
        // A brace of the last branch was cut off with our own.
        let last = format!("{}{}", &inner[start..], "}".repeat(depth));
        expand(&last, &prefix, each);
    } else if !tree.is_empty() {
        let path = tree.split(" as ").next().unwrap_or_default().split("::").map(str::trim);
        let path = path.filter(|part| *part != "self").map(str::to_owned);
        each(prefix.iter().cloned().chain(path).collect());
    }
}

/// The files whose items a file names.
fn imports(module: &Vec<String>, files: &Files) -> BTreeSet<Vec<String>> {
    let text = &files[module].text;
    let mut paths: Vec<_> = uses(text)
        .into_iter()
        .filter(|(reexport, _)| !reexport)
        .map(|(_, path)| path)
        .collect();
    for (at, _) in text.match_indices("crate::") {
        let word = |c: char| !c.is_alphanumeric() && c != '_' && c != ':';
        let path = text[at..].split(word).next().unwrap_or_default();
        paths.push(path.split("::").map(str::to_owned).collect());
    }
    let found = paths.into_iter().filter_map(|path| resolve(module, &path, files));
    found.filter(|found| found != module).collect()
}

/// The file that defines what a path names.
fn resolve(from: &[String], path: &[String], files: &Files) -> Option<Vec<String>> {
    let first = path.first()?;
    let is_child = |name: &String| files.contains_key(&[from, std::slice::from_ref(name)].concat());
    let (mut module, rest) = if first == "crate" {
        (Vec::new(), &path[1..])
    } else if is_child(first) {
        (from.to_vec(), path)
    } else {
        return None;
    };
    for (at, name) in rest.iter().enumerate() {
        let child = [&module[..], std::slice::from_ref(name)].concat();
        let file = files.get(&module);
        if files.contains_key(&child) {
            module = child;
        } else if file.is_some_and(|file| file.defines.contains(name)) {
            return Some(module);
        } else if let Some(reexport) = file.and_then(|file| file.reexports.get(name)) {
            let whole = [reexport, &rest[at + 1..]].concat();
            return if whole == path {
                None
            } else {
                resolve(&module, &whole, files)
            };
        } else {
            return None;
        }
    }
    // A module itself is named, as in `grpc::check`.
    Some(module)
}
