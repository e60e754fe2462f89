//! Every crate but this one and the examples can be published: what cargo does not ask for, and a reader does.

use std::collections::BTreeSet;
use std::fs;

use crate::{metadata, root, text};

#[test]
fn every_crate_that_is_published_says_what_it_is() {
    let metadata = metadata();
    let members = metadata.workspace_packages();
    let private = members.iter().filter(|p| p.publish.is_some()).map(|p| p.name.as_str());
    let private: BTreeSet<&str> = private.collect();
    assert_eq!(private, BTreeSet::from(["vram-examples", "xtask"]), "what is not published");
    for package in members.iter().filter(|p| p.publish.is_none()) {
        let name = &package.name;
        assert!(package.description.as_ref().is_some_and(|d| d.len() > 20), "{name}: description");
        assert!((2..=5).contains(&package.keywords.len()), "{name}: keywords");
        assert!(!package.categories.is_empty(), "{name}: categories");
        assert_eq!(package.license.as_deref(), Some("MIT OR Apache-2.0"), "{name}");
        let folder = package.manifest_path.parent().unwrap();
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        assert!(readme.starts_with(&format!("# {name}\n")), "{name}: no README.md of that name");
        let lines = readme.lines().filter(|line| !line.is_empty()).count();
        assert!((6..=16).contains(&lines), "{name}: README.md is {lines} lines");
        // A package cannot reach outside of its folder, and Windows checks out no links.
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            let same = fs::read_to_string(folder.join(licence)).ok() == Some(text(licence));
            let from = folder.strip_prefix(root()).unwrap();
            assert!(same, "to update a copy, at the root: cp {licence} {from}/{licence}");
        }
        for dependency in package.dependencies.iter().filter(|d| d.path.is_some()) {
            let versioned = dependency.req.to_string() != "*";
            assert!(versioned, "{name} depends on {} without a version", dependency.name);
        }
    }
}

/// Whatever is built or run with the workspace, on any platform, with any feature.
#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let deny: toml::Table = toml::from_str(&text("deny.toml")).unwrap();
    let allowed = deny["licenses"]["allow"].as_array().unwrap();
    let allowed: BTreeSet<&str> = allowed.iter().map(|name| name.as_str().unwrap()).collect();
    let packages = metadata().packages;
    assert!(packages.len() > 200, "{} packages", packages.len());
    for package in packages {
        let stated = package.license.unwrap_or_default();
        let expression = spdx::Expression::parse_mode(&stated, spdx::ParseMode::LAX);
        let fits = expression
            .is_ok_and(|e| e.evaluate(|wanted| allowed.contains(wanted.to_string().as_str())));
        assert!(
            fits,
            "{} {}: `{stated}` is not what deny.toml allows",
            package.name, package.version
        );
    }
}
