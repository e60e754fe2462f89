//! Kinds by their names.

/// The kind of this name, or the names that there are.
pub(crate) fn named<K: Copy + Into<&'static str>>(all: &[K], text: &str) -> Result<K, String> {
    let known = all.iter().copied().find(|kind| (*kind).into() == text);
    known.ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|kind| (*kind).into()).collect();
        format!("expected {}, found `{text}`", names.join(" or "))
    })
}
