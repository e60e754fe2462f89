//! Which known name was probably meant.

/// Names this similar (Jaro-Winkler) are worth suggesting.
const SIMILAR: f64 = 0.75;

/// The known names most like `name`, the nearest first: two at most, none where nothing is like it.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(k, name), k))
        .filter(|(score, _)| *score >= SIMILAR)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(2).map(|(_, k)| k).collect()
}
