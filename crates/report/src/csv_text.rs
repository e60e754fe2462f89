//! Tables for spreadsheets: a row of names, then values without units.

use serde_json::Value;

/// Records as CSV (RFC 4180), a column for each of `keys` under its own name. Texts are as they are,
/// numbers as JSON writes them; what a record lacks, or has as null, is an empty cell.
///
/// ```
/// use serde_json::json;
/// use vram_report::csv_text::csv_of;
///
/// let rows = [json!({ "name": "a, b", "bytes": 7 }), json!({ "name": "c", "bytes": null })];
/// assert_eq!(csv_of(&["name", "bytes"], &rows), "name,bytes\n\"a, b\",7\nc,\n");
/// ```
pub fn csv_of(keys: &[&str], records: &[Value]) -> String {
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let heads = keys.iter().map(|key| (*key).to_owned()).collect();
    let rows = records.iter().map(|record| keys.iter().map(|key| cell(&record[*key])).collect());
    csv_rows(std::iter::once(heads).chain(rows))
}

/// Rows of cells as CSV.
pub(crate) fn csv_rows(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut csv = csv::Writer::from_writer(Vec::new());
    for row in rows {
        // Writing to memory does not fail, and rows are as long as their heads.
        let _ = csv.write_record(row);
    }
    String::from_utf8(csv.into_inner().unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        /// Whatever cells hold, a reader gets the same back.
        #[test]
        fn what_is_written_is_read_again(cells in prop::collection::vec(("\\PC*|[,\"\n\r ]*", any::<u64>()), 1..8)) {
            let records: Vec<Value> =
                cells.iter().map(|(text, bytes)| json!({ "text": text, "bytes": bytes })).collect();
            let text = csv_of(&["text", "bytes"], &records);
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let read: Vec<(String, u64)> = reader.deserialize().map(Result::unwrap).collect();
            prop_assert_eq!(read, cells);
        }
    }
}
