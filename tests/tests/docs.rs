//! The pages say what is there: links lead somewhere, dependencies are those of the workspace, named tests exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rtmp_tests::programs::workspace;

/// Where the tests live that `docs/conformance.md` names by file and function.
const TESTS: [&str; 6] = [
    "rtmp-core/tests",
    "rtmp-core/src",
    "tests/tests",
    "tests/c",
    "tests/cpp",
    "bindings/python/tests",
];

#[test]
fn links_between_the_pages_lead_somewhere() {
    for page in pages() {
        // Prose is every second part between the fences of code.
        let text: String = read(&page).split("```").step_by(2).collect();
        let folder = page.parent().expect("a page is in a folder");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(
                folder.join(file).exists(),
                "{}: {target} leads nowhere",
                page.display()
            );
        }
    }
}

#[test]
fn the_table_of_dependencies_is_that_of_the_manifests() {
    let page = read(&workspace().join("docs/architecture.md"));
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Some((*cells.get(1)?, *cells.get(2)?))
    });
    let documented: BTreeMap<String, String> = rows
        .flat_map(|(names, versions)| names.split(", ").zip(versions.split(", ")))
        .filter(|(_, version)| version.starts_with(|c: char| c.is_ascii_digit()))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect();
    let members = ["rtmp-core", "rtmp-ffi", "bindings/python", "benches", "tests"];
    let manifests = members
        .iter()
        .map(|member| workspace().join(member).join("Cargo.toml"));
    let manifests = manifests
        .chain([workspace().join("Cargo.toml")])
        .filter(|manifest| manifest.exists());
    let real: BTreeMap<String, String> = manifests
        .flat_map(|manifest| dependencies(&read(&manifest)))
        .collect();
    assert_eq!(documented, real, "docs/architecture.md against the manifests");
}

#[test]
fn every_test_that_the_conformance_page_names_exists() {
    let page = read(&workspace().join("docs/conformance.md"));
    let mut named = 0;
    let kinds = ["rs", "py", "c", "cpp"];
    for (file, function) in page.split('`').filter_map(|text| {
        kinds
            .iter()
            .find_map(|kind| text.split_once(&format!(".{kind}::")))
    }) {
        let found = TESTS.iter().any(|folder| {
            let stem = workspace().join(folder).join(file);
            let text = kinds.map(|kind| fs::read_to_string(stem.with_extension(kind)).unwrap_or_default());
            text.iter().any(|text| text.contains(&format!("{function}(")))
        });
        assert!(found, "no test {file}::{function}");
        named += 1;
    }
    assert!(named > 20, "the page names tests as `file.rs::function`");
}

#[test]
fn the_c_names_in_the_pages_are_those_of_the_header() {
    let header = read(&workspace().join("include/rtmpkit.h"));
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    for page in pages() {
        let text = read(&page);
        for (at, prefix) in text.match_indices("rtmpkit_") {
            let rest = &text[at..];
            let name = &rest[..rest.find(|c: char| !is_name(c)).unwrap_or(rest.len())];
            let family = name == prefix || name.ends_with('_');
            let known = header
                .match_indices(name)
                .any(|(at, _)| family || !header[at + name.len()..].starts_with(is_name));
            assert!(known, "{}: {name} is not in rtmpkit.h", page.display());
        }
    }
}

/// Name and version of the dependencies that a manifest gives a version; the project's own crates are left out.
fn dependencies(manifest: &str) -> Vec<(String, String)> {
    let mut within = false;
    let mut found = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.ends_with("dependencies]");
            continue;
        }
        let Some((name, value)) = line.split_once(" = ").filter(|_| within) else {
            continue;
        };
        let version = match value.split_once("version = ") {
            Some((_, version)) => quoted(version),
            None if value.starts_with('"') => quoted(value),
            None => continue,
        };
        if !name.starts_with("rtmp") {
            found.push((name.to_owned(), version.to_owned()));
        }
    }
    found
}

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(workspace().join("docs")).expect("docs can be read");
    let pages = docs.map(|entry| entry.expect("docs can be read").path());
    pages
        .chain([workspace().join("README.md")])
        .filter(|page| page.exists())
        .collect()
}

fn quoted(text: &str) -> &str {
    text.trim_start_matches('"').split('"').next().unwrap_or_default()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
