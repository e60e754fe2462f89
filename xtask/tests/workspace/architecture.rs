//! docs/architecture.md against the workspace: its picture and its table of the crates, and the
//! files at which it says to start.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Package};

use crate::{metadata, root, text};

const PAGE: &str = "docs/architecture.md";

/// What follows `heading`, up to the next one.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, rest) = page.split_once(heading).unwrap_or_else(|| panic!("{PAGE} has no {heading}"));
    rest.split_once("\n## ").map_or(rest, |(section, _)| section)
}

/// The arrows of a mermaid graph: `a --> b & c` are two.
fn drawn(page: &str) -> BTreeSet<(String, String)> {
    let (_, graph) = page.split_once("```mermaid\ngraph").expect("a mermaid graph");
    let lines = graph.split_once("```").unwrap().0.lines();
    let arrows = lines.filter_map(|line| line.trim().split_once(" --> "));
    let pairs = arrows.flat_map(|(from, to)| to.split(" & ").map(move |to| (from, to.trim())));
    pairs.map(|(from, to)| (from.to_owned(), to.to_owned())).collect()
}

/// Which crate of the workspace is built on which, tests aside.
fn built(members: &[&Package]) -> BTreeSet<(String, String)> {
    let names: BTreeSet<&str> = members.iter().map(|p| p.name.as_str()).collect();
    let edges = members.iter().flat_map(|package| {
        let normal = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
        let ours = normal.filter(|d| names.contains(d.name.as_str()));
        ours.map(|d| (package.name.to_string(), d.name.clone()))
    });
    edges.collect()
}

/// What is on one side only, for a message.
fn differences<T: Ord + std::fmt::Debug>(page: &BTreeSet<T>, code: &BTreeSet<T>) -> Vec<String> {
    let lacks = code.difference(page).map(|item| format!("{PAGE} lacks {item:?}"));
    lacks
        .chain(
            page.difference(code).map(|item| format!("{PAGE} has {item:?}, the workspace has not")),
        )
        .collect()
}

#[test]
fn the_picture_is_of_these_crates() {
    let metadata = metadata();
    let found = differences(&drawn(&text(PAGE)), &built(&metadata.workspace_packages()));
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn an_arrow_too_few_and_one_too_many_are_told() {
    let page = "```mermaid\ngraph TD\n    a --> b & c\n    b --> d\n```\n";
    let code = [("a", "b"), ("b", "d"), ("c", "d")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let found = differences(&drawn(page), &code.into());
    assert_eq!(
        found,
        [
            r#"docs/architecture.md lacks ("c", "d")"#,
            r#"docs/architecture.md has ("a", "c"), the workspace has not"#,
        ]
    );
}

/// Path, name and description, as each `Cargo.toml` has them.
#[test]
fn the_table_is_of_these_crates() {
    let page = text(PAGE);
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, path, name, purpose, _] = cells[..] else { return None };
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        Some((name.to_owned(), (path.trim_matches('`').to_owned(), purpose.replace('`', ""))))
    });
    let described = |package: &&Package| {
        let path = package.manifest_path.parent().unwrap().strip_prefix(root()).unwrap();
        let purpose = package.description.clone().unwrap_or_default();
        (package.name.to_string(), (path.to_string(), purpose))
    };
    let metadata = metadata();
    let members: BTreeMap<_, _> = metadata.workspace_packages().iter().map(described).collect();
    let rows: BTreeMap<_, _> = rows.collect();
    let found = differences(&rows.into_iter().collect(), &members.into_iter().collect());
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// A file that moves takes its place on the page along.
#[test]
fn whoever_starts_here_finds_the_files() {
    let page = text(PAGE);
    let quoted = section(&page, "\n## Start here\n").split('`').skip(1).step_by(2);
    let paths: Vec<&str> = quoted.filter(|quoted| quoted.contains('/')).collect();
    assert!(paths.len() > 20, "{paths:?}");
    let gone: Vec<&&str> = paths.iter().filter(|path| !root().join(path).exists()).collect();
    assert!(gone.is_empty(), "{PAGE} names files that are not there: {gone:?}");
}
