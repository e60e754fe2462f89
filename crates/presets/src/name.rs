//! Names that become names of files and directories.

use vram_source::value::Node;

use crate::error::PresetError;

/// Bytes of a row's id: its directory adds the ant, the colony, the batch and, set aside, a number,
/// and no file system takes more than 255 in all.
const LONGEST_ID: usize = 100;

/// Bytes of a preset's name: its file adds an extension.
const LONGEST_NAME: usize = 200;

/// What Windows takes for devices, whatever the case and the extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_lowercase();
    let port = stem.strip_prefix("com").or(stem.strip_prefix("lpt"));
    let is_port = port.is_some_and(|n| n.len() == 1 && n.bytes().all(|b| b.is_ascii_digit()));
    DEVICES.contains(&stem.as_str()) || is_port
}

/// Why `name` cannot be part of a run directory's name.
fn why_no_id(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Some("letters, digits, `_` and `-`".to_owned());
    }
    if name.starts_with('-') {
        return Some("a name that does not begin like an option".to_owned());
    }
    why_no_file(name, LONGEST_ID)
}

/// Why `name` cannot be a file's on every system.
fn why_no_file(name: &str, longest: usize) -> Option<String> {
    let refused = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    if name.is_empty() {
        Some("a name".to_owned())
    } else if name.contains(refused) {
        Some(r#"a file's name: no control characters and none of / \ : * ? " < > |"#.to_owned())
    } else if name.ends_with(['.', ' ']) || name.starts_with(' ') {
        Some("a name without a space at its ends or a dot at its end".to_owned())
    } else if is_device(name) {
        Some("a name that Windows does not take for a device".to_owned())
    } else if name.len() > longest {
        Some(format!("a name of at most {longest} bytes, which has {}", name.len()))
    } else {
        None
    }
}

fn why_no_preset(name: &str) -> Option<String> {
    why_no_file(name, LONGEST_NAME)
}

/// Checks that a preset of this name can be a file on every system.
///
/// # Errors
///
/// [`PresetError::Name`].
pub fn check_name(name: &str) -> Result<(), PresetError> {
    let named = |expected| PresetError::Name { name: name.to_owned(), expected };
    why_no_preset(name).map(named).map_or(Ok(()), Err)
}

/// Name of a preset or file without its folder, its extension and what all of them share, as tables
/// and directories show it.
pub fn short(label: &str) -> &str {
    let stem = label.rsplit(['/', '\\']).next().unwrap_or(label);
    let stem = stem.strip_suffix(".toml").or(stem.strip_suffix(".json")).unwrap_or(stem);
    stem.strip_prefix("od1_canon_").unwrap_or(stem)
}

/// A name that can be part of a run directory's.
pub(crate) fn id(value: &Node) -> Result<String, String> {
    let name = value.text()?;
    match why_no_id(&name) {
        Some(what) => Err(value.expected(&what)),
        None => Ok(name),
    }
}

/// A name that a preset's file could have.
pub(crate) fn preset_name(value: &Node) -> Result<String, String> {
    let name = value.text()?;
    match why_no_preset(&name) {
        Some(what) => Err(value.expected(&what)),
        None => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_lose_what_all_of_them_share() {
        assert_eq!(short("od1_canon_small"), "small");
        assert_eq!(short("presets/ants/mine.toml"), "mine");
        assert_eq!(short("smoke_wide"), "smoke_wide");
    }

    #[test]
    fn ids_are_names_of_directories_everywhere() {
        for good in ["N16", "a", "_x-1", "console", "com", "com12", &"x".repeat(100)] {
            assert_eq!(why_no_id(good), None, "{good}");
        }
        for bad in
            ["", ".", "..", "a/b", "a b", "a.", "é", "-x", "NUL", "con", "Com1", &"x".repeat(101)]
        {
            assert!(why_no_id(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn preset_names_are_names_of_files_everywhere() {
        for good in ["small", "my ant", "größer.v2", "a-b_c", &"x".repeat(200)] {
            assert_eq!(why_no_preset(good), None, "{good}");
        }
        for bad in [
            "", ".", "..", "a/b", "a\\b", "a\u{1b}b", "a\n", "x.", "x ", " x", "aux.old", "a|b",
            "a:b",
        ] {
            assert!(why_no_preset(bad).is_some(), "{bad}");
        }
        assert!(why_no_preset(&"x".repeat(201)).is_some());
    }
}
